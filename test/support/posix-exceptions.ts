import type { PosixExceptions } from '../posix/posix.suite.js'

/** What no bucket mount does (yet), whatever the store and the transport. */
export const BUCKET_EXCEPTIONS: PosixExceptions = {
  'a hard link is the same file': 'a bucket has no hard links: EPERM',
  'a symbolic link leads to a file': 'not yet: EPERM',
  'a pipe has a name': 'not yet: EPERM',
  'RENAME_EXCHANGE swaps two files': 'two stored objects can not be swapped in one step: EINVAL',
  'a path of 1,500 bytes works': 'keys end at 1,024 bytes: ENAMETOOLONG',
  'a name that is no UTF-8 is a name': 'not yet: EILSEQ',
}

const NO_PATH = 'libfuse 2 names open files by their path, and answers ENOENT once that is gone'
const NO_MTIME = 'the C code of fuse-native passes the access time on for both times of utimens'
const NO_CALLER = 'fuse-native does not tell who calls: new files belong to who mounts'

/** What libfuse 2 or the C code of fuse-native forces on top of it. */
export const FUSE_NATIVE_EXCEPTIONS: PosixExceptions = {
  ...BUCKET_EXCEPTIONS,
  'inode numbers of readdir and stat agree': 'libfuse 2 makes up inode numbers of its own for stat',
  'an unlinked file that is not stored yet works until its close, and never comes back': NO_PATH,
  'an unlinked open file can be truncated and changed': NO_PATH,
  'a new file under the name of an unlinked open one is another file': NO_PATH,
  'a temporary file is used as tmpfile(3) does it': NO_PATH,
  'a file that was replaced while open keeps what it had': NO_PATH,
  'times are kept to the nanosecond': NO_MTIME,
  'attributes that are set before the close are kept, as tar and cp -p set them': NO_MTIME,
  'cp -p and tar keep attributes': NO_MTIME,
  'times before 1970 and after 2038 are kept': 'the C code of fuse-native has no negative times',
  'a new file belongs to who made it': NO_CALLER,
  'others can not remove from a sticky folder': NO_CALLER,
}
