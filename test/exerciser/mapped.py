"""Mapped pages. What lies behind the end of the file is never touched: that is fatal."""

import os

from calls import Mapping, PAGE
from draw import Draw

MAX_MAPPINGS = 3


class MappedOperations(Draw):
    def map(self, r):
        handle = self.handle(r, lambda h: h.mode == os.O_RDWR, os.O_RDWR)
        offset = self.draw_offset(r) // PAGE * PAGE
        size = max(PAGE, min(self.draw_size(r), self.limit - offset))
        if not handle:
            return None
        if len(self.subject.mappings) >= MAX_MAPPINGS:
            self.subject.unmap(self.subject.mappings[0])
        self.say(f"mmap {handle} {offset}..{offset + size}")
        mapping = Mapping(handle.descriptor, offset, size, True, True)
        self.subject.mappings.append(mapping)
        return mapping

    def mapped(self, r):
        """A mapping and a range of the file in it, or None."""
        mapping = r.choice(self.subject.mappings) if self.subject.mappings else self.map(r)
        offset, size = self.draw_range(r)
        if mapping is None:
            return None
        last = min(mapping.end, self.subject.size)
        offset = mapping.offset + offset % mapping.size
        if offset >= last:
            return None
        if self.subject.handles:
            self.subject.expect_size(os.fstat(self.subject.handles[0].descriptor).st_size, "fstat before a mapped access")
        return mapping, offset, min(size, last - offset)

    def map_read(self, r):
        found = self.mapped(r)
        if found:
            mapping, offset, size = found
            self.say(f"read mapped {offset}..{offset + size}")
            self.subject.expect(offset, size, mapping.read(offset, size), "mapped read")

    def map_write(self, r):
        found, and_sync = self.mapped(r), r.random() < 0.3
        if found:
            mapping, offset, size = found
            data = self.draw_bytes(r, size)
            self.say(f"write mapped {offset}..{offset + size}{' and msync' if and_sync else ''}")
            mapping.write(offset, data)
            self.subject.put(offset, data)
            self.touched = (offset, size)
            if and_sync:
                mapping.sync()

    def map_sync(self, r):
        if self.subject.mappings:
            mapping = r.choice(self.subject.mappings)
            self.say(f"msync {mapping.offset}..{mapping.end}")
            mapping.sync()

    def unmap(self, r):
        if self.subject.mappings:
            mapping = r.choice(self.subject.mappings)
            self.say(f"munmap {mapping.offset}..{mapping.end}")
            self.subject.unmap(mapping)

    def map_private(self, r):
        """What is written to a private mapping stays out of the file."""
        handle, (offset, size) = self.reader(r), self.draw_inside(r)
        if not handle or size == 0:
            return
        self.say(f"private mmap {handle} {offset}..{offset + size}")
        start = offset // PAGE * PAGE
        mapping = Mapping(handle.descriptor, start, offset + size - start, False, True)
        try:
            self.subject.expect(offset, size, mapping.read(offset, size), "private mapped read")
            mapping.write(offset, self.draw_bytes(r, size))
        finally:
            mapping.close()
        self.touched = (offset, size)
