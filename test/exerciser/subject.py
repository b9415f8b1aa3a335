"""The file under test and what it must hold."""

import hashlib
import os

from calls import DirectBuffer, PAGE

MIB = 1 << 20
MAX_FILE = 24 * MIB
NAMES = ["file", "renamed"]
OTHER = "other"

FLAG_NAMES = {os.O_APPEND: "append", os.O_DIRECT: "direct", os.O_DSYNC: "dsync"}
MODES = {os.O_RDONLY: "r", os.O_RDWR: "rw", os.O_WRONLY: "w"}


class Difference(Exception):
    pass


class Handle:
    def __init__(self, descriptor, flags):
        self.descriptor = descriptor
        self.flags = flags
        self.mode = flags & os.O_ACCMODE

    @property
    def direct(self):
        return self.flags & os.O_DIRECT != 0

    @property
    def append(self):
        return self.flags & os.O_APPEND != 0

    @property
    def plain(self):
        return not self.direct and not self.append

    def __str__(self):
        names = [MODES[self.mode], *[name for flag, name in FLAG_NAMES.items() if self.flags & flag == flag]]
        return f"{self.descriptor}({'+'.join(names)})"


class Subject:
    """One file at a time, below one of two names or unlinked, with the handles and mappings that are open on it."""

    def __init__(self, folder):
        self.folder = folder
        self.name = NAMES[0]
        self.linked = False
        self.data = bytearray()
        self.other = b""
        self.handles = []
        self.mappings = []
        self.buffer = DirectBuffer(MAX_FILE + PAGE)

    def path(self, name=None):
        return os.path.join(self.folder, name or self.name)

    @property
    def size(self):
        return len(self.data)

    def open(self, flags):
        handle = Handle(os.open(self.path(), flags, 0o644), flags & ~(os.O_CREAT | os.O_TRUNC))
        self.handles.append(handle)
        return handle

    def close(self, handle):
        self.handles.remove(handle)
        os.close(handle.descriptor)

    def unmap(self, mapping):
        self.mappings.remove(mapping)
        mapping.close()

    def close_all(self):
        for handle in self.handles[:]:
            self.close(handle)
        for mapping in self.mappings[:]:
            self.unmap(mapping)

    def create(self):
        """A new file in place of the unlinked one."""
        self.close_all()
        self.open(os.O_RDWR | os.O_CREAT | os.O_EXCL)
        self.linked = True
        self.data = bytearray()

    def write_other(self, data):
        """The second file, from which ranges are copied."""
        with open(self.path(OTHER), "wb") as file:
            file.write(data)
        self.other = data

    # What the shadow is told.

    def resize(self, size):
        if size < self.size:
            del self.data[size:]
        else:
            self.data.extend(bytes(size - self.size))

    def put(self, offset, data):
        if offset + len(data) > self.size:
            self.resize(offset + len(data))
        self.data[offset : offset + len(data)] = data

    def zero(self, offset, size, grow):
        if grow and offset + size > self.size:
            self.resize(offset + size)
        end = min(offset + size, self.size)
        if end > offset:
            self.data[offset:end] = bytes(end - offset)

    def spoil(self):
        """Makes the shadow wrong in the middle."""
        if self.size == 0:
            self.data.append(1)
        else:
            self.data[self.size // 2] ^= 1

    # How the file is held against it.

    def expect_size(self, size, how):
        if size != self.size:
            raise Difference(f"{how}: the file has {size} bytes instead of {self.size}")

    def expect(self, offset, size, actual, how):
        """`actual` was read from `offset`, where `size` bytes were asked for."""
        wanted = self.data[offset : offset + size]
        if wanted != actual:
            self.differ(offset, bytes(wanted), actual, how)

    def differ(self, offset, wanted, actual, how):
        if len(wanted) != len(actual):
            raise Difference(f"{how}: {len(actual)} bytes read at {offset} instead of {len(wanted)}")
        wrong = [i for i in range(len(wanted)) if wanted[i] != actual[i]]
        first = wrong[0]
        raise Difference(
            f"{how}: read {len(wanted)} bytes at {offset}, of which {len(wrong)} are wrong,"
            f" the first at {offset + first} ({hex(offset + first)}), the last at {offset + wrong[-1]}:"
            f" {actual[first : first + 16].hex()} instead of {wanted[first : first + 16].hex()}"
        )

    def read(self, handle, offset, size):
        """Reads through a handle as its kind demands, and compares."""
        if handle.direct:
            start = offset // PAGE * PAGE
            size = -(-(offset + size - start) // PAGE) * PAGE
            self.expect(start, size, self.buffer.read(handle.descriptor, start, size), f"O_DIRECT read of {handle}")
        else:
            self.expect(offset, size, os.pread(handle.descriptor, size, offset), f"read of {handle}")

    def digest(self):
        return hashlib.sha256(self.data).hexdigest()
