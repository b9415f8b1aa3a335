"""Makes system calls as it is told, one JSON line each on standard input, and answers each with a line.

A request is {"who": [uid, gid, [groups]], "umask": n, "call": name, "words": [...]}, an answer {"done": value} or
{"errno": name}. A word {"bad": true} is an address that no memory has. Credentials change for one call only: a process
with one thread may, and the kernel looks at those of the moment.
"""

import ctypes
import errno
import fcntl
import json
import os
import select
import socket
import stat
import struct
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW = 0x100
BAD_ADDRESS = 1
NANOSECONDS = 10**9
TYPES = {
    stat.S_IFREG: "regular",
    stat.S_IFDIR: "folder",
    stat.S_IFIFO: "fifo",
    stat.S_IFBLK: "block",
    stat.S_IFCHR: "char",
    stat.S_IFSOCK: "socket",
    stat.S_IFLNK: "symlink",
}
MAKES = {name: number for number, name in TYPES.items()}
NAMES = {**errno.errorcode, errno.EOPNOTSUPP: "EOPNOTSUPP"}
UTIME_NOW = (1 << 30) - 1
UTIME_OMIT = (1 << 30) - 2
F_OFD_SETLK = 37
CLOCK_REALTIME_COARSE = 5
LONGEST_SOCKET_PATH = 108


class Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def word(value):
    if isinstance(value, dict):
        return ctypes.c_void_p(BAD_ADDRESS)
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape")
    if value is None:
        return None
    return ctypes.c_long(value)


def libc(name, *words, wide=False):
    """A function of libc; `wide` where its answer is 64 bits."""
    function = LIBC[name]
    function.restype = ctypes.c_long if wide else ctypes.c_int
    answer = function(*[word(one) for one in words])
    if answer == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def constants(names, prefix):
    """`O_CREAT|O_EXCL` as a number."""
    value = 0
    for name in filter(None, names.split("|")):
        value |= prefix[name] if isinstance(prefix, dict) else getattr(prefix, name)
    return value


def status(found):
    return {
        "type": TYPES[stat.S_IFMT(found.st_mode)],
        "mode": stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "nlink": found.st_nlink,
        "size": found.st_size,
        "blocks": found.st_blocks,
        "ino": str(found.st_ino),
        "device": [os.major(found.st_rdev), os.minor(found.st_rdev)],
        "atime": str(found.st_atime_ns),
        "mtime": str(found.st_mtime_ns),
        "ctime": str(found.st_ctime_ns),
    }


def text(data):
    return data.decode("utf-8", "surrogateescape")


def into_buffer(name, *words, size):
    buffer = ctypes.create_string_buffer(max(size, 1))
    function = LIBC[name]
    function.restype = ctypes.c_long
    count = function(*[word(one) for one in words], buffer, ctypes.c_size_t(size))
    if count == -1:
        raise OSError(ctypes.get_errno(), name)
    return count if size == 0 else text(buffer.raw[:count])


def timespec(moment):
    if moment == "now":
        return Timespec(0, UTIME_NOW)
    if moment == "omit":
        return Timespec(0, UTIME_OMIT)
    seconds, nanoseconds = moment
    return Timespec(seconds, nanoseconds)


def set_times(function, *words, atime, mtime, flags=()):
    times = (Timespec * 2)(timespec(atime), timespec(mtime))
    if LIBC[function](*words, times, *flags) == -1:
        raise OSError(ctypes.get_errno(), function)


def utimensat(path, atime, mtime, flags=0):
    set_times("utimensat", AT_FDCWD, word(path), atime=atime, mtime=mtime, flags=[flags])


def open_file(path, flags, mode=0):
    return libc("open", path, constants(flags, os) | os.O_CLOEXEC, mode)


def bind(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(path)


def connect(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


def node(path, kind, mode, device=(1, 2)):
    libc("mknod", path, MAKES[kind] | mode, os.makedev(*device))


def make(kind, path, mode=None):
    """What a test starts with, of any type; the umask has no say."""
    if kind == "folder":
        os.mkdir(path)
    elif kind == "symlink":
        os.symlink("target", path)
    elif kind == "socket" and len(path) < LONGEST_SOCKET_PATH:
        bind(path)
    elif kind == "regular":
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    else:
        node(path, kind, 0o644)
    if kind != "symlink":
        os.chmod(path, mode if mode is not None else 0o755 if kind == "folder" else 0o644)


def remove(path):
    if stat.S_ISDIR(os.lstat(path).st_mode):
        os.rmdir(path)
    else:
        os.unlink(path)


def kind_of(entry):
    if entry.is_symlink():
        return "symlink"
    if entry.is_dir():
        return "folder"
    return "regular" if entry.is_file() else "special"


def listed(path):
    with os.scandir(path) as entries:
        return sorted([entry.name, kind_of(entry), str(entry.inode())] for entry in entries)


def record_lock(descriptor, kind, start, length, of_the_file=False):
    """F_SETLK or F_OFD_SETLK."""
    lock = struct.pack("hhqqi4x", getattr(fcntl, kind), os.SEEK_SET, start, length, 0)
    fcntl.fcntl(descriptor, F_OFD_SETLK if of_the_file else fcntl.F_SETLK, lock)


def lock_holder(descriptor, kind, start, length):
    """F_GETLK: who stands in the way."""
    lock = struct.pack("hhqqi4x", getattr(fcntl, kind), os.SEEK_SET, start, length, 0)
    found, _, begin, size, pid = struct.unpack("hhqqi4x", fcntl.fcntl(descriptor, fcntl.F_GETLK, lock))
    return None if found == fcntl.F_UNLCK else [found == fcntl.F_WRLCK, begin, size, pid > 0]


def tick():
    """Until a time that is taken now differs from those that were taken before, whatever clock a file system reads."""
    before = time.time_ns()
    while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= before + 2_000_000:
        select.select([], [], [], 0.001)


def execute(path):
    """Runs a program; its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(os.posix_spawn(path, [path], {}), 0)[1])


FALLOCATE = {"KEEP_SIZE": 1, "PUNCH_HOLE": 2, "ZERO_RANGE": 16}
RENAME = {"NOREPLACE": 1, "EXCHANGE": 2}
ACCESS = {"R": os.R_OK, "W": os.W_OK, "X": os.X_OK}
XATTR = {"CREATE": os.XATTR_CREATE, "REPLACE": os.XATTR_REPLACE}

CALLS = {
    "open": open_file,
    "close": os.close,
    "stat": lambda path: status(os.stat(path)),
    "lstat": lambda path: status(os.lstat(path)),
    "fstat": lambda descriptor: status(os.fstat(descriptor)),
    "read": lambda descriptor, size: text(os.read(descriptor, size)),
    "pread": lambda descriptor, size, offset: text(os.pread(descriptor, size, offset)),
    "write": lambda descriptor, data: os.write(descriptor, data.encode()),
    "pwrite": lambda descriptor, data, offset: os.pwrite(descriptor, data.encode(), offset),
    "lseek": lambda descriptor, offset, whence: os.lseek(descriptor, offset, getattr(os, whence)),
    "readlink": lambda path, size=8192: into_buffer("readlink", path, size=size),
    "renameat2": lambda old, new, flags: libc("renameat2", AT_FDCWD, old, AT_FDCWD, new, constants(flags, RENAME)),
    "access": lambda path, rights: libc("access", path, constants(rights, ACCESS)),
    "mknod": node,
    "mkfifo": lambda path, mode: libc("mkfifo", path, mode),
    "bind": bind,
    "connect": connect,
    "chmodLink": lambda path, mode: libc("fchmodat", AT_FDCWD, path, mode, AT_SYMLINK_NOFOLLOW),
    "utimensat": utimensat,
    "lutimensat": lambda path, atime, mtime: utimensat(path, atime, mtime, AT_SYMLINK_NOFOLLOW),
    "futimens": lambda descriptor, atime, mtime: set_times("futimens", descriptor, atime=atime, mtime=mtime),
    "utimensBoth": lambda path: libc("utimensat", AT_FDCWD, path, None, 0),
    "fallocate": lambda descriptor, flags, offset, size: libc(
        "fallocate", descriptor, constants(flags, FALLOCATE), offset, size
    ),
    "posix_fallocate": os.posix_fallocate,
    "copy_file_range": lambda source, offset, target, to, size: os.copy_file_range(source, target, size, offset, to),
    "setxattr": lambda path, name, value, flags="": libc(
        "setxattr", path, name, value, len(value.encode()), constants(flags, XATTR)
    ),
    "lsetxattr": lambda path, name, value: libc("lsetxattr", path, name, value, len(value.encode()), 0),
    "getxattr": lambda path, name, size=65536: into_buffer("getxattr", path, name, size=size),
    "lgetxattr": lambda path, name: into_buffer("lgetxattr", path, name, size=65536),
    "listxattr": lambda path, size=65536: into_buffer("listxattr", path, size=size),
    "list": listed,
    "chdir": os.chdir,
    "flock": lambda descriptor, kind: fcntl.flock(descriptor, constants(kind, fcntl)),
    "lock": record_lock,
    "lockHolder": lock_holder,
    "execute": execute,
    "make": make,
    "remove": remove,
    "tick": tick,
}


def become(uid, gid, groups):
    os.setresuid(0, 0, 0)
    os.setgroups(groups)
    os.setresgid(gid, gid, 0)
    os.setresuid(uid, uid, 0)


def answer(call, words):
    try:
        function = CALLS.get(call)
        return {"done": function(*words) if function else libc(call, *words)}
    except OSError as error:
        return {"errno": NAMES.get(error.errno, str(error))}
    except (TypeError, ValueError) as error:
        return {"errno": f"{call} is called wrongly: {error}"}


def main():
    current = None
    for line in sys.stdin:
        request = json.loads(line)
        if current != request["who"]:
            current = request["who"]
            become(*current)
        os.umask(request["umask"])
        print(json.dumps(answer(request["call"], request["words"])), flush=True)


main()
