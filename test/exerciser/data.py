"""Reading, writing and sizes."""

import os

from calls import PAGE
from draw import Draw
from subject import Difference, MIB


class DataOperations(Draw):
    def write(self, r):
        handle, (offset, size) = self.writer(r), self.draw_range(r)
        if handle:
            self.put(handle, offset, self.draw_bytes(r, size), os.pwrite)

    def put(self, handle, offset, data, call):
        self.say(f"write {handle} {offset}..{offset + len(data)}")
        taken = call(handle.descriptor, data, offset)
        if taken != len(data):
            raise Difference(f"write took {taken} bytes of {len(data)}")
        self.subject.put(offset, data)
        self.touched = (offset, len(data))

    def write_at_position(self, r):
        """lseek(2) and a few write(2)s, as stdio does it."""
        handle, (offset, size) = self.writer(r), self.draw_range(r)
        if not handle:
            return
        os.lseek(handle.descriptor, offset, os.SEEK_SET)
        for start in range(offset, offset + size, 1 + size // 3):
            piece = self.draw_bytes(r, min(1 + size // 3, offset + size - start))
            self.put(handle, start, piece, lambda descriptor, data, _: os.write(descriptor, data))

    def append(self, r):
        handle = self.handle(r, lambda h: h.append, os.O_RDWR | os.O_APPEND)
        size = min(self.draw_size(r), self.limit - self.subject.size)
        if not handle or size <= 0:
            return
        # With O_APPEND pwrite(2) appends too, whatever its offset (its man page, "BUGS").
        ignored = r.choice([None, self.draw_offset(r)])
        call = lambda descriptor, data, _: os.write(descriptor, data)
        if ignored is not None:
            call = lambda descriptor, data, _: os.pwrite(descriptor, data, ignored)
        self.put(handle, self.subject.size, self.draw_bytes(r, size), call)

    def direct_write(self, r):
        handle = self.handle(r, lambda h: h.direct and h.mode == os.O_RDWR, os.O_RDWR | os.O_DIRECT)
        offset, size = self.draw_range(r)
        offset, size = offset // PAGE * PAGE, -(-size // PAGE) * PAGE
        if not handle:
            return
        data = self.draw_bytes(r, size)
        self.say(f"O_DIRECT write {handle} {offset}..{offset + size}")
        self.subject.buffer.write(handle.descriptor, offset, data)
        self.subject.put(offset, data)
        self.touched = (offset, size)

    def read(self, r):
        handle, (offset, size) = self.reader(r), self.draw_range(r)
        if handle:
            self.say(f"read {handle} {offset}..{offset + size}")
            self.subject.read(handle, offset, size)

    def read_by_pieces(self, r):
        """read(2) after read(2), as programs read that read ahead is made for."""
        handle, (offset, size) = self.reader(r), self.draw_range(r)
        if not handle or handle.direct:
            return
        self.say(f"read {handle} {offset}..{offset + size} by pieces")
        os.lseek(handle.descriptor, offset, os.SEEK_SET)
        piece = r.choice([max(1, size // 5), 65536, 131072])
        for start in range(offset, offset + size, piece):
            self.subject.expect(start, piece, os.read(handle.descriptor, piece), f"read of {handle} by pieces")

    def stream(self, r):
        """The whole file anew, from front to back."""
        size, piece = r.randrange(self.limit), r.choice([50_000, 65536, 131072, MIB, MIB + 1])
        if not self.subject.linked:
            return
        handle = self.opened(r, os.O_WRONLY | os.O_TRUNC)
        self.subject.resize(0)
        for start in range(0, size, piece):
            self.put(handle, start, self.draw_bytes(r, min(piece, size - start)), os.pwrite)
        self.said = f"stream {handle} 0..{size} by {piece}"

    def new_size(self, r):
        return r.choice([0, self.draw_offset(r), self.draw_offset(r), self.draw_offset(r), self.draw_offset(r)])

    def truncate(self, r):
        handle, size = self.writer(r), self.new_size(r)
        if handle:
            self.cut(f"ftruncate {handle} {self.subject.size} -> {size}", lambda: os.ftruncate(handle.descriptor, size), size)

    def truncate_path(self, r):
        size = self.new_size(r)
        if self.subject.linked:
            self.cut(f"truncate {self.subject.size} -> {size}", lambda: os.truncate(self.subject.path(), size), size)

    def cut(self, words, call, size):
        self.say(words)
        call()
        first, last = sorted([size, self.subject.size])
        self.touched = (first, last - first)
        self.subject.resize(size)

    def open_truncate(self, r):
        if self.subject.linked:
            self.say("O_TRUNC")
            self.opened(r, r.choice([os.O_RDWR, os.O_WRONLY]) | os.O_TRUNC)
            self.subject.resize(0)
