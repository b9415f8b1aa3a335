"""A walk of random operations over one file, each followed by a look at what the file holds."""

import os
import random

from data import DataOperations
from handles import HandleOperations
from layout import LayoutOperations
from mapped import MappedOperations
from subject import MAX_FILE, Subject

# Name and weight. The name is what `--without` takes.
WEIGHTS = {
    "write": 14,
    "write-at-position": 3,
    "append": 4,
    "direct-write": 4,
    "read": 10,
    "read-by-pieces": 2,
    "stream": 0.5,
    "truncate": 5,
    "truncate-path": 2,
    "open-truncate": 0.5,
    "map": 3,
    "map-read": 5,
    "map-write": 7,
    "map-sync": 2,
    "unmap": 2,
    "map-private": 2,
    "allocate": 3,
    "punch": 4,
    "zero": 4,
    "seek": 3,
    "copy-within": 3,
    "copy-from": 3,
    "fsync": 1.5,
    "open": 5,
    "close": 4,
    "close-all": 1,
    "duplicate": 1,
    "fork": 0.3,
    "forget": 3,
    "rename": 2,
    "unlink": 0.4,
}

# What else `--without` takes: O_DIRECT, all that has to do with mappings, and using a file on after its name is gone.
DIRECT, MAPPINGS, ORPHANS = "direct", "mappings", "orphans"
SWITCHES = [*WEIGHTS, DIRECT, MAPPINGS, ORPHANS]

# A check of the whole file reads this much on average, whatever the file's size.
WHOLE_BYTES = 150_000


class Exercise(DataOperations, MappedOperations, LayoutOperations, HandleOperations):
    def __init__(self, folder, seed, without, limit):
        first = random.Random(seed)
        super().__init__(Subject(folder), first.randbytes(MAX_FILE + MAX_FILE // 4), without)
        self.seed = seed
        self.limit = limit or self.draw_limit(first)
        self.weights = {name: weight for name, weight in WEIGHTS.items() if not self.is_off(name)}

    def is_off(self, name):
        groups = {
            DIRECT: name == "direct-write",
            MAPPINGS: name == "unmap" or name.startswith("map"),
        }
        return any(part == name or groups.get(part) for part in self.without)

    def step(self, number):
        """The operation of that number draws the same whatever ran before it: a part of a walk can be walked again."""
        r = random.Random(self.seed * 1_000_000_007 + number)
        name = r.choices(list(self.weights), list(self.weights.values()))[0]
        if not self.subject.linked and (r.random() < 0.1 or not self.subject.handles):
            self.subject.create()
            self.limit = self.next_limit or self.limit
            self.say("[new file]")
        getattr(self, name.replace("-", "_"))(r)

    def check(self, number):
        """Compares some of the file, now and then all of it, as one of several ways of reading shows it."""
        r = random.Random(self.seed * 1_000_000_009 + number)
        size = self.subject.size
        handle, is_new = self.checker(r)
        if handle is None:
            return
        self.subject.expect_size(os.fstat(handle.descriptor).st_size, f"fstat of {handle}")
        if self.subject.linked:
            self.subject.expect_size(os.stat(self.subject.path()).st_size, "stat")
        if r.random() < 0.15:
            os.posix_fadvise(handle.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        if r.random() < WHOLE_BYTES / (size + 1):
            self.subject.read(handle, 0, size + 1)
        elif r.random() < 0.5:
            start, length = self.touched
            start = max(0, start - r.choice([0, 1, 5000]))
            self.subject.read(handle, start, min(length, 500_000) + r.choice([1, 10_000]))
        else:
            self.subject.read(handle, *self.draw_range(r))
        if is_new:
            self.subject.close(handle)

    def checker(self, r):
        """A handle that may read, and whether it is one of its own for this check."""
        found = [handle for handle in self.subject.handles if handle.mode != os.O_WRONLY]
        if found and (r.random() < 0.6 or not self.subject.linked):
            return r.choice(found), False
        if not self.subject.linked:
            return None, False
        direct = os.O_DIRECT if DIRECT not in self.without and r.random() < 0.4 else 0
        return self.subject.open(os.O_RDONLY | direct), True

    def end(self):
        """Closes all; the file stays, and all of it is compared once more."""
        self.subject.close_all()
        if not self.subject.linked:
            self.subject.create()
            self.subject.close_all()
        handle = self.subject.open(os.O_RDONLY)
        self.subject.expect_size(os.fstat(handle.descriptor).st_size, "fstat in the end")
        self.subject.read(handle, 0, self.subject.size + 1)
        self.subject.close(handle)
