"""Handles, names and what the kernel remembers."""

import os

from draw import Draw, MAX_HANDLES
from subject import MIB, NAMES

RW, RO, WO = os.O_RDWR, os.O_RDONLY, os.O_WRONLY
KINDS = [RW, RW, RO, RO, WO, RW | os.O_APPEND, WO | os.O_APPEND, RW | os.O_DIRECT, RO | os.O_DIRECT, RW | os.O_DSYNC]


class HandleOperations(Draw):
    def open(self, r):
        flags = r.choice(KINDS)
        # Each write to such a handle stores the file.
        if flags & os.O_DSYNC == os.O_DSYNC and self.limit > MIB:
            flags = RW
        for name, flag in [("direct", os.O_DIRECT), ("append", os.O_APPEND)]:
            if name in self.without:
                flags &= ~flag
        if self.subject.linked:
            self.opened(r, flags)

    def close(self, r):
        if self.subject.handles:
            handle = r.choice(self.subject.handles)
            self.say(f"close {handle}")
            self.subject.close(handle)

    def close_all(self, r):
        """With or without what is mapped: mapped pages outlive the handle."""
        if r.random() < 0.5:
            self.say("close all")
            self.subject.close_all()
        else:
            self.say("close all handles")
            for handle in self.subject.handles[:]:
                self.subject.close(handle)

    def fsync(self, r):
        handle = self.handle(r, lambda _: True, os.O_RDWR)
        call = r.choice([os.fsync, os.fdatasync])
        if handle:
            self.say(f"{call.__name__} {handle}")
            call(handle.descriptor)

    def duplicate(self, r):
        """A copy of a descriptor is written to and closed."""
        handle, (offset, size) = self.writer(r), self.draw_range(r)
        if handle:
            copy = os.dup(handle.descriptor)
            try:
                self.put(handle, offset, self.draw_bytes(r, size), lambda _, data, at: os.pwrite(copy, data, at))
            finally:
                os.close(copy)
            self.say("by a copy of the descriptor, closed")

    def fork(self, _):
        """A child that ends closes copies of all descriptors."""
        self.say("fork")
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)

    def forget(self, r):
        """The kernel drops the pages that it need not keep."""
        handle = self.reader(r)
        if handle:
            self.say(f"POSIX_FADV_DONTNEED {handle}")
            os.posix_fadvise(handle.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)

    def rename(self, r):
        """To the other name and back the next time; now and then over a file that has that name."""
        over = r.random() < 0.3
        if not self.subject.linked:
            return
        name = NAMES[1 - NAMES.index(self.subject.name)]
        if over:
            with open(self.subject.path(name), "wb") as file:
                file.write(b"is replaced")
        self.say(f"rename to {name}{', which exists' if over else ''}")
        os.rename(self.subject.path(), self.subject.path(name))
        self.subject.name = name

    def unlink(self, r):
        """The handles stay for a while, or a new file begins at once."""
        lives_on, limit = r.random() < 0.7, self.draw_limit(r)
        if not self.subject.linked:
            return
        self.say(f"unlink, the next file has at most {limit} bytes")
        if not lives_on or "orphans" in self.without:
            self.subject.close_all()
        os.unlink(self.subject.path())
        self.subject.linked = False
        self.next_limit = limit
