"""System calls that Python's library lacks, or wraps so that a test could not tell what is really called."""

import ctypes
import mmap
import os

PAGE = mmap.PAGESIZE
MAP_FAILED = ctypes.c_void_p(-1).value
MS_SYNC = 4

FALLOC_FL_KEEP_SIZE = 0x01
FALLOC_FL_PUNCH_HOLE = 0x02
FALLOC_FL_ZERO_RANGE = 0x10

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_int64]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
libc.msync.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def checked(answer):
    if answer in (-1, MAP_FAILED):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return answer


def fallocate(descriptor, mode, offset, size):
    """Not posix_fallocate(3), which writes where the file system can't allocate."""
    checked(libc.fallocate(descriptor, mode, offset, size))


class Mapping:
    """Pages of a file in memory. Unlike Python's own mmap it holds no copy of the descriptor."""

    def __init__(self, descriptor, offset, size, shared, writable):
        protection = mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0)
        flags = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
        self.offset = offset
        self.size = size
        self.writable = writable
        self.address = checked(libc.mmap(None, size, protection, flags, descriptor, offset))

    @property
    def end(self):
        return self.offset + self.size

    def read(self, offset, size):
        """`offset` is the file's. Touching what lies behind the end of the file is fatal."""
        return ctypes.string_at(self.address + offset - self.offset, size)

    def write(self, offset, data):
        ctypes.memmove(self.address + offset - self.offset, data, len(data))

    def sync(self):
        checked(libc.msync(self.address, self.size, MS_SYNC))

    def close(self):
        checked(libc.munmap(self.address, self.size))


class DirectBuffer:
    """Memory that O_DIRECT takes."""

    def __init__(self, size):
        self.memory = mmap.mmap(-1, size)
        self.view = memoryview(self.memory)

    def write(self, descriptor, offset, data):
        """Offset and size must be multiples of the page size."""
        done = 0
        self.view[: len(data)] = data
        while done < len(data):
            done += os.pwritev(descriptor, [self.view[done : len(data)]], offset + done)

    def read(self, descriptor, offset, size):
        """The bytes from there on, fewer only at the end of the file."""
        size = min(size, len(self.view))
        done = 0
        while done < size:
            more = os.preadv(descriptor, [self.view[done:size]], offset + done)
            done += more
            if more % PAGE != 0 or more == 0:
                break
        return bytes(self.view[:done])
