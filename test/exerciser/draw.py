"""What all operations share: where they begin, how much they touch, and which handle they use."""

import os

from calls import PAGE
from subject import MAX_FILE, MIB

MAX_HANDLES = 5

BORDERS = [PAGE, 65536, MIB, 5 * MIB, 8 * MIB]
SIZES = [1, 7, 512, 4095, 4096, 4097, 16384, 65536, 131072]


class Draw:
    """Everything that is drawn comes from `r`, a generator of the one operation."""

    def __init__(self, subject, pool, without):
        self.subject = subject
        self.pool = pool
        self.without = without
        # No file gets longer; the next one may.
        self.limit = MAX_FILE
        self.next_limit = None
        # Where the latest change was.
        self.touched = (0, 0)
        self.said = ""

    def say(self, text):
        self.said = f"{self.said} {text}" if self.said else text

    # Drawing.

    def draw_limit(self, r):
        return r.choice([200_000, MIB, MIB, 3 * MIB, 11 * MIB, MAX_FILE])

    def draw_offset(self, r):
        kind = r.random()
        if kind < 0.3:
            offset = r.randrange(min(65536, self.limit))
        elif kind < 0.5:
            border = r.choice([b for b in BORDERS if b <= self.limit])
            offset = border * r.randrange(1 + self.limit // border) + r.choice([-4097, -1, 0, 0, 1, 100])
        elif kind < 0.7:
            offset = self.subject.size + r.choice([-70_000, -5000, -1, 0, 0, 1, 5000, 200_000])
        else:
            offset = r.randrange(self.limit)
        return max(0, min(offset, self.limit - 1))

    def draw_size(self, r):
        kind = r.random()
        if kind < 0.5:
            return r.choice(SIZES)
        if kind < 0.95:
            return r.randrange(1, 200_000)
        return r.randrange(1, 6_500_000)

    def draw_range(self, r):
        offset = self.draw_offset(r)
        return offset, max(1, min(self.draw_size(r), self.limit - offset))

    def draw_inside(self, r):
        """A range inside the file; empty when the file is."""
        offset, size = self.draw_range(r)
        offset = min(offset, max(0, self.subject.size - 1))
        return offset, min(size, self.subject.size - offset)

    def draw_bytes(self, r, size):
        start = r.randrange(len(self.pool) - size)
        return self.pool[start : start + size]

    def handle(self, r, fits, flags):
        """One of the handles that fit; a new one with `flags` when there is none. None when there is no way to one."""
        found = [handle for handle in self.subject.handles if fits(handle)]
        if found:
            return r.choice(found)
        return self.opened(r, flags) if self.subject.linked else None

    def opened(self, r, flags):
        if len(self.subject.handles) >= MAX_HANDLES:
            victim = r.choice(self.subject.handles)
            self.say(f"[close {victim}]")
            self.subject.close(victim)
        handle = self.subject.open(flags)
        self.say(f"[open {handle}]")
        return handle

    def writer(self, r):
        return self.handle(r, lambda h: h.plain and h.mode != os.O_RDONLY, os.O_RDWR)

    def reader(self, r):
        return self.handle(r, lambda h: h.mode != os.O_WRONLY, os.O_RDONLY)
