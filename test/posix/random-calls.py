"""Makes the same random system calls in two folders and stops at the first answer that differs.

random-calls.py REFERENCE FOLDER SEED STEPS [large]

Both folders are new and empty. `large` writes files of several MiB too. What a bucket mount does not promise is left
out: files that are replaced or removed while they are open are not looked at any more.
"""

import errno
import hashlib
import os
import random
import sys

NAMES = ["a", "b", "c", "d/x", "d/y", "e/z"]
FOLDERS = ["d", "e", "d/f"]
MAX_OPEN = 6


class Difference(Exception):
    pass


class Pair:
    """The two folders."""

    def __init__(self, roots):
        self.roots = roots
        self.log = []

    def call(self, words, function):
        """`function(i, path)` in both folders; its answer, or None where it failed."""
        answers = []
        for i, root in enumerate(self.roots):
            try:
                answers.append(("done", function(i, lambda name: os.path.join(root, name))))
            except OSError as error:
                answers.append((errno.errorcode[error.errno], None))
        self.log.append(f"{words} -> {str(answers[0])[:100]}")
        if answers[0] != answers[1]:
            raise Difference(f"{words}: {str(answers[0])[:200]} and {str(answers[1])[:200]}")
        return answers[0][1]


class Opened:
    def __init__(self, name, flags):
        self.name = name
        self.flags = flags
        self.descriptors = [-1, -1]

    def __str__(self):
        return f"{self.name} ({self.flags:o})"


def digest(data):
    return len(data), hashlib.sha256(data).hexdigest()


def content(path):
    with open(path, "rb") as file:
        return digest(file.read())


def shown(status):
    return status.st_size, oct(status.st_mode), status.st_nlink


class Walk:
    def __init__(self, pair, seed, large):
        self.pair = pair
        self.random = random.Random(seed)
        self.large = large
        self.opened = []

    def step(self):
        on_names = [self.open, self.stat, self.content, self.list, self.rename, self.unlink, self.truncate]
        rare = [self.chmod, self.utime, self.mkdir, self.rmdir]
        on_files = [self.write, self.append, self.read, self.close, self.fsync, self.ftruncate, self.fstat]
        group = self.random.choices([on_names, rare, on_files], [10, 2, 12 if self.opened else 0])[0]
        self.random.choice(group)()

    def end(self):
        while self.opened:
            self.close()
        for name in NAMES:
            self.pair.call(f"content {name}", lambda _, path: content(path(name)))
        for folder in ["", *FOLDERS]:
            self.pair.call(f"list {folder}", lambda _, path: sorted(os.listdir(path(folder))))

    def offset(self):
        return self.random.choice([0, 0, self.random.randrange(100_000), self.random.randrange(300_000)])

    def bytes(self):
        size = self.random.choice([1, 3, 17, 100, 4096, 5000, 65536, 70001])
        if self.large and self.random.random() < 0.3:
            size = self.random.choice([1 << 20, 3_000_001, 6_000_000])
        return self.random.randbytes(size)

    def is_open(self, name):
        try:
            status = os.stat(os.path.join(self.pair.roots[0], name))
        except OSError:
            return False
        return any(os.path.samestat(os.fstat(one.descriptors[0]), status) for one in self.opened)

    def open(self):
        if len(self.opened) == MAX_OPEN:
            return
        flags = self.random.choice([os.O_RDONLY, os.O_RDWR, os.O_WRONLY])
        for flag, chance in [(os.O_CREAT, 0.6), (os.O_TRUNC, 0.25), (os.O_EXCL, 0.1), (os.O_APPEND, 0.15)]:
            if self.random.random() < chance:
                flags |= flag
        one = Opened(self.random.choice(NAMES), flags)

        def call(i, path):
            one.descriptors[i] = os.open(path(one.name), flags, 0o644)
            return True

        if self.pair.call(f"open {one}", call):
            self.opened.append(one)

    def write(self):
        one, offset, data = self.random.choice(self.opened), self.offset(), self.bytes()
        self.pair.call(f"write {one} {offset} {len(data)}", lambda i, _: os.pwrite(one.descriptors[i], data, offset))

    def append(self):
        one, data = self.random.choice(self.opened), self.bytes()

        def call(i, _):
            end = os.fstat(one.descriptors[i]).st_size
            return end, os.pwrite(one.descriptors[i], data, end)

        self.pair.call(f"append {one} {len(data)}", call)

    def read(self):
        one, offset = self.random.choice(self.opened), self.offset()
        self.pair.call(f"read {one} {offset}", lambda i, _: digest(os.pread(one.descriptors[i], 100_000, offset)))

    def close(self):
        one = self.opened.pop(self.random.randrange(len(self.opened)))
        self.pair.call(f"close {one}", lambda i, _: os.close(one.descriptors[i]))

    def fsync(self):
        one = self.random.choice(self.opened)
        self.pair.call(f"fsync {one}", lambda i, _: os.fsync(one.descriptors[i]))

    def ftruncate(self):
        one, size = self.random.choice(self.opened), self.offset()
        self.pair.call(f"ftruncate {one} {size}", lambda i, _: os.ftruncate(one.descriptors[i], size))

    def fstat(self):
        one = self.random.choice(self.opened)
        self.pair.call(f"fstat {one}", lambda i, _: shown(os.fstat(one.descriptors[i])))

    def stat(self):
        name = self.random.choice(NAMES)
        self.pair.call(f"stat {name}", lambda _, path: shown(os.stat(path(name))))

    def content(self):
        name = self.random.choice(NAMES)
        self.pair.call(f"content {name}", lambda _, path: content(path(name)))

    def list(self):
        folder = self.random.choice(["", *FOLDERS])
        self.pair.call(f"list {folder}", lambda _, path: sorted(os.listdir(path(folder))))

    def rename(self):
        old, new = self.random.choice(NAMES), self.random.choice(NAMES)
        if old == new or not self.is_open(new):
            self.pair.call(f"rename {old} {new}", lambda _, path: os.rename(path(old), path(new)))

    def unlink(self):
        name = self.random.choice(NAMES)
        if not self.is_open(name):
            self.pair.call(f"unlink {name}", lambda _, path: os.unlink(path(name)))

    def truncate(self):
        name, size = self.random.choice(NAMES), self.offset()
        self.pair.call(f"truncate {name} {size}", lambda _, path: os.truncate(path(name), size))

    def chmod(self):
        name, mode = self.random.choice(NAMES), self.random.choice([0o600, 0o644, 0o755])
        self.pair.call(f"chmod {name} {mode:o}", lambda _, path: os.chmod(path(name), mode))

    def utime(self):
        name, seconds = self.random.choice(NAMES), self.random.randrange(10**9)

        def call(_, path):
            os.utime(path(name), (seconds, seconds))
            return os.stat(path(name)).st_mtime

        self.pair.call(f"utime {name} {seconds}", call)

    def mkdir(self):
        folder = self.random.choice(FOLDERS)
        self.pair.call(f"mkdir {folder}", lambda _, path: os.mkdir(path(folder)))

    def rmdir(self):
        folder = self.random.choice(FOLDERS)
        self.pair.call(f"rmdir {folder}", lambda _, path: os.rmdir(path(folder)))


def main(reference, folder, seed, steps, *more):
    pair = Pair([reference, folder])
    walk = Walk(pair, int(seed), "large" in more)
    try:
        for _ in range(int(steps)):
            walk.step()
        walk.end()
    except Difference as difference:
        print("\n".join(pair.log[-60:]), f"seed {seed}, step {len(pair.log)}: {difference}", sep="\n", file=sys.stderr)
        sys.exit(1)


main(*sys.argv[1:])
