import type { PosixExceptions } from '../posix/posix.suite.js'

/** What no bucket mount does (yet), whatever the store and the transport. */
export const BUCKET_EXCEPTIONS: PosixExceptions = {
  'a hard link is the same file': 'a bucket has no hard links: EPERM',
  'a symbolic link leads to a file': 'not yet: EPERM',
  'a pipe has a name': 'not yet: EPERM',
  'an empty folder is renamed': 'not yet: EXDEV, and mv copies',
  'a folder is renamed with all that is in it': 'not yet: EXDEV, and mv copies',
  'RENAME_EXCHANGE swaps two files': 'two stored objects can not be swapped in one step: EINVAL',
  'an unlinked stored file can be read on': 'not yet: the bytes that the kernel does not hold go with the object',
  'a path of 1,500 bytes works': 'keys end at 1,024 bytes: ENAMETOOLONG',
  'a name that is no UTF-8 is a name': 'not yet: EILSEQ',
}
