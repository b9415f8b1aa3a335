"""Does random things to a file and compares it with what it must hold after each of them.

main.py FOLDER [--operations N] [--seed N] [--without NAME,NAME] [--shrink] [--spoil N]

FOLDER is empty, on the file system under test. What was done is a function of seed, number of the operation and
`--without`, which names what the file system can't do (exercise.py, SWITCHES). On a difference the last operations are
told, and how to walk them again; with `--shrink` fewer and fewer of them are walked for as long as they still show it.
In the end the file stays, and its name, size and SHA-256 are printed. `--spoil` makes one byte wrong before that
operation, to see that it is noticed.
"""

import argparse
import faulthandler
import mmap
import os
import shutil
import sys
import tempfile

from exercise import SWITCHES, Exercise
from shrink import shrunk
from subject import Difference

SHOWN = 50
LINE = 240


class Log:
    """The latest lines, in memory that a child shares, so that they outlive its death by a signal."""

    def __init__(self):
        self.memory = mmap.mmap(-1, (SHOWN + 1) * LINE)

    def note(self, at, number, text):
        line = f"{number} {at} {text}".encode()[:LINE].ljust(LINE)
        self.memory[LINE * (1 + at % SHOWN) : LINE * (2 + at % SHOWN)] = line
        self.memory[:LINE] = line

    def lines(self):
        """In order, each as (operation, text)."""
        found = []
        for i in range(1, SHOWN + 1):
            words = self.memory[LINE * i : LINE * (i + 1)].rstrip(b" \0").decode(errors="replace").split(" ", 2)
            if len(words) == 3:
                found.append((int(words[1]), int(words[0]), words[2]))
        return [(number, text) for _, number, text in sorted(found)]


class Walk:
    """One walk in a child process: a mapped page that can't be read kills who touches it."""

    def __init__(self, folder, seed, without, spoilt=None):
        self.folder = folder
        self.seed = seed
        self.without = without
        self.spoilt = spoilt

    def run(self, numbers, limit, is_loud):
        """What went wrong, or None; and the log, and where the last file of the walk began."""
        log = Log()
        start = mmap.mmap(-1, mmap.PAGESIZE)
        child = os.fork()
        if child == 0:
            os._exit(self.child(numbers, limit, is_loud, log, start))
        _, status = os.waitpid(child, 0)
        if status == 0:
            return None, log, None
        what = "differs" if os.WIFEXITED(status) else f"killed by signal {os.WTERMSIG(status)}"
        began = [int(word) for word in start[:].split(b"\0")[0].decode().split()]
        return what, log, began

    def child(self, numbers, limit, is_loud, log, start):
        if not is_loud:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        faulthandler.enable()
        exercise = Exercise(self.folder, self.seed, self.without, limit)
        at = 0
        try:
            exercise.subject.create()
            start[:24] = f"{0} {exercise.limit}".encode().ljust(24, b"\0")
            for at, number in enumerate(numbers):
                log.note(at, number, "(begun)")
                self.one(exercise, at, number, log, start)
            exercise.end()
        except (Difference, OSError) as error:
            log.note(at, numbers[at], exercise.said)
            print(f"exerciser: operation {numbers[at]}: {exercise.said}: {error}", file=sys.stderr)
            return 1
        if is_loud:
            subject = exercise.subject
            print(f"{len(numbers)} operations without a difference")
            print(f"{subject.name} {subject.size} {subject.digest()}", flush=True)
        return 0

    def one(self, exercise, at, number, log, start):
        exercise.said = ""
        try:
            if number == self.spoilt:
                exercise.subject.spoil()
            exercise.step(number)
            if exercise.said.startswith("[new file]"):
                start[:24] = f"{at} {exercise.limit}".encode().ljust(24, b"\0")
            log.note(at, number, exercise.said)
            exercise.said += ", and then a comparison"
            exercise.check(number)
        except OSError as error:
            raise Difference(str(error)) from error


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--operations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    parser.add_argument("--without", default="", help="names, with commas between: " + ", ".join(SWITCHES))
    parser.add_argument("--only", default="", help="numbers of operations: walks these alone")
    parser.add_argument("--limit", type=int, help="the first file is at most so long")
    parser.add_argument("--shrink", action="store_true")
    parser.add_argument("--spoil", type=int)
    settings = parser.parse_args()
    settings.names = [name for name in settings.without.split(",") if name]
    unknown = [name for name in settings.names if name not in SWITCHES]
    if unknown:
        parser.error(f"--without: there is no {', '.join(unknown)}")
    return settings


def main():
    settings = arguments()
    numbers = [int(word) for word in settings.only.split(",") if word] or list(range(settings.operations))
    print(f"exerciser: seed {settings.seed}", flush=True)
    walk = Walk(settings.folder, settings.seed, settings.names, settings.spoil)
    what, log, began = walk.run(numbers, settings.limit, True)
    if what is None:
        return 0
    lines = log.lines()
    failed = lines[-1][0]
    for number, text in lines:
        print(f"{number} {text}", file=sys.stderr)
    again = f"--seed {settings.seed} --without '{settings.without}'"
    print(f"exerciser: {what} at operation {failed}; again with {again} --operations {failed + 1}", file=sys.stderr)
    if settings.shrink:
        tell_shrunk(settings, numbers[: numbers.index(failed) + 1], began, again)
    return 1


def tell_shrunk(settings, numbers, began, again):
    """The walk from the beginning of the last file is the first try; the whole walk the second."""

    def run(tried, limit):
        folder = tempfile.mkdtemp(dir=settings.folder)
        outcome = Walk(folder, settings.seed, settings.names, settings.spoil).run(tried, limit, False)
        shutil.rmtree(folder, ignore_errors=True)
        return outcome

    at, limit = began
    for tried, first_limit in [(numbers[at:], limit), (numbers, settings.limit)]:
        if run(tried, first_limit)[0] is None:
            continue
        few = shrunk(tried, lambda part: run(part, first_limit)[0] is not None)
        words = f"{again} --only {','.join(map(str, few))}" + (f" --limit {first_limit}" if first_limit else "")
        print(f"exerciser: {len(few)} operations show it: {words}", file=sys.stderr)
        for number, text in run(few, first_limit)[1].lines():
            print(f"{number} {text}", file=sys.stderr)
        return
    print("exerciser: it does not show again", file=sys.stderr)


sys.exit(main())
