import type { PosixExceptions } from '../posix/posix.suite.js'

/** What no bucket mount does (yet), whatever the store and the transport. */
export const BUCKET_EXCEPTIONS: PosixExceptions = {
  'a hard link is the same file': 'a bucket has no hard links: EPERM',
  'RENAME_EXCHANGE swaps two files': 'two stored objects can not be swapped in one step: EINVAL',
  'a path of 1,500 bytes works': 'keys end at 1,024 bytes: ENAMETOOLONG',
  'a path of 4,095 bytes leads to files of every type': 'keys end at 1,024 bytes: ENAMETOOLONG',
  'a write of who is not in the group takes setgid away where the group may not execute, too':
    'the kernel leaves it to the driver, which does not know the groups of who writes',
}

const NO_PATH = 'libfuse 2 names open files by their path, and answers ENOENT once that is gone'
const NO_MTIME = 'the C code of fuse-native passes the access time on for both times of utimens'
const NO_ALLOCATE = 'the C code of fuse-native has no fallocate'
const NO_COUNT = 'nlink counts the subfolders that are known, and libfuse 2 looks each name up anew'
const NO_CALLER = 'fuse-native does not tell who calls: new files belong to who mounts'

/** What libfuse 2 or the C code of fuse-native forces on top of it. */
export const FUSE_NATIVE_EXCEPTIONS: PosixExceptions = {
  ...BUCKET_EXCEPTIONS,
  'what is made belongs to who made it, and to the group of who made it': NO_CALLER,
  'in a folder with setgid everything takes the group of the folder': NO_CALLER,
  'folders below a folder with setgid pass it on': NO_CALLER,
  'device nodes keep their numbers, and only root makes them': NO_CALLER,
  'who made a file without rights may still truncate it by its descriptor': NO_CALLER,
  'a link belongs to who made it, and can be read by everyone': NO_CALLER,
  'a folder that somebody is in can be removed, and nothing is made in it then': NO_PATH,
  'times are kept to the nanosecond, from before 1970 to after 2106, on every type': NO_MTIME,
  'times set through a link are those of what it leads to': NO_MTIME,
  'UTIME_OMIT leaves a time, UTIME_NOW moves it, ctime moves along': NO_MTIME,
  'futimens sets the times of what is open': NO_MTIME,
  'times that were set are still there after a read, a close and a listing': NO_MTIME,
  'fallocate with KEEP_SIZE leaves the size': NO_ALLOCATE,
  'PUNCH_HOLE makes zeros and leaves the size': NO_ALLOCATE,
  'an unlinked stored file can be read on': NO_PATH,
  'an unlinked file can be read on when its writer has closed it': NO_PATH,
  'an open file that was removed has no name and still its bytes': NO_PATH,
  'a new file that was removed before its close works on, for several handles': NO_PATH,
  'the name of an open file that was removed is free for another': NO_PATH,
  'a file that was renamed over works on for who has it open': NO_PATH,
  'a name that is no UTF-8 is a name': 'fuse-native makes text of names: EILSEQ',
  'RENAME_NOREPLACE replaces nothing': 'the C code of fuse-native has no rename with flags: EINVAL',
  'folders count their folders when one comes or goes': NO_COUNT,
  'readdir tells types and inodes as lstat does': 'libfuse 2 makes up inode numbers of its own for stat',
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
