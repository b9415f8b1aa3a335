"""Allocation, holes, and ranges that are copied."""

import errno
import os

from calls import FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_ZERO_RANGE, fallocate
from draw import Draw
from subject import Difference, OTHER


class LayoutOperations(Draw):
    def allocate(self, r):
        handle, (offset, size), keep = self.writer(r), self.draw_range(r), r.random() < 0.5
        if handle:
            self.say(f"fallocate {handle} {offset}..{offset + size}{' KEEP_SIZE' if keep else ''}")
            fallocate(handle.descriptor, FALLOC_FL_KEEP_SIZE if keep else 0, offset, size)
            self.touched = (offset, size)
            if not keep and offset + size > self.subject.size:
                self.subject.resize(offset + size)

    def punch(self, r):
        handle, (offset, size) = self.writer(r), self.draw_range(r)
        if handle:
            self.say(f"PUNCH_HOLE {handle} {offset}..{offset + size}")
            fallocate(handle.descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size)
            self.subject.zero(offset, size, False)
            self.touched = (offset, size)

    def zero(self, r):
        handle, (offset, size), keep = self.writer(r), self.draw_range(r), r.random() < 0.5
        if handle:
            self.say(f"ZERO_RANGE {handle} {offset}..{offset + size}{' KEEP_SIZE' if keep else ''}")
            mode = FALLOC_FL_ZERO_RANGE | (FALLOC_FL_KEEP_SIZE if keep else 0)
            fallocate(handle.descriptor, mode, offset, size)
            self.subject.zero(offset, size, not keep)
            self.touched = (offset, size)

    def seek(self, r):
        """Holes may be told of as data, but never the other way round."""
        handle, offset = self.reader(r), self.draw_offset(r)
        if not handle:
            return
        for mapping in self.subject.mappings:
            mapping.sync()
        data, hole = self.data_and_hole(handle, offset)
        self.say(f"seek {handle} {offset}: data {data}, hole {hole}")
        size = self.subject.size
        if offset >= size:
            if (data, hole) != (None, None):
                raise Difference("data or a hole behind the end of the file")
            return
        if hole is None or not offset <= hole <= size or (data is not None and not offset <= data < size):
            raise Difference(f"data or hole are not between {offset} and the end of the file, {size}")
        if (data == offset) == (hole == offset):
            raise Difference(f"{offset} must be in data or in a hole")
        self.expect_zeros(offset, size if data is None else data)
        if offset < hole < size:
            after = self.sought(handle, hole, os.SEEK_DATA)
            self.expect_zeros(hole, size if after is None else after)

    def data_and_hole(self, handle, offset):
        """Both of one moment: what a close stores in the background can turn holes into data between two calls."""
        while True:
            data = self.sought(handle, offset, os.SEEK_DATA)
            hole = self.sought(handle, offset, os.SEEK_HOLE)
            if self.sought(handle, offset, os.SEEK_DATA) == data:
                return data, hole

    def sought(self, handle, offset, what):
        try:
            return os.lseek(handle.descriptor, offset, what)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return None
            raise

    def expect_zeros(self, start, end):
        if any(self.subject.data[start:end]):
            raise Difference(f"{start}..{end} is said to be a hole, but holds data")

    def copy_within(self, r):
        handle, (source, size), target = self.writer(r), self.draw_inside(r), self.draw_offset(r)
        size = min(size, abs(source - target), self.limit - target)
        if handle and handle.mode == os.O_RDWR and size > 0:
            data = bytes(self.subject.data[source : source + size])
            self.say(f"copy_file_range {handle} {source}..{source + size} to {target}")
            self.copy(handle.descriptor, source, handle.descriptor, target, data)

    def copy_from(self, r):
        """Out of the second file, which is made anew now and then."""
        handle, target = self.writer(r), self.draw_offset(r)
        if not self.subject.other or r.random() < 0.1:
            self.subject.write_other(self.draw_bytes(r, 1 + r.randrange(r.choice([70_000, self.limit]))))
            self.say(f"[other file of {len(self.subject.other)}]")
        source = r.randrange(len(self.subject.other))
        size = min(self.draw_size(r), len(self.subject.other) - source, self.limit - target)
        if not handle:
            return
        self.say(f"copy_file_range other {source}..{source + size} to {handle} {target}")
        other = os.open(self.subject.path(OTHER), os.O_RDONLY)
        try:
            self.copy(other, source, handle.descriptor, target, self.subject.other[source : source + size])
        finally:
            os.close(other)

    def copy(self, source, source_offset, target, target_offset, data):
        done = 0
        while done < len(data):
            more = os.copy_file_range(source, target, len(data) - done, source_offset + done, target_offset + done)
            if more == 0:
                raise Difference(f"copy_file_range ended after {done} bytes of {len(data)}")
            done += more
        self.subject.put(target_offset, data)
        self.touched = (target_offset, len(data))
