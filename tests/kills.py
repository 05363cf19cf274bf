"""Kill the stages at random moments, and compare what they leave with an uninterrupted run.

    python -m tests.kills [--count 200] [--seed 1] [--workers 1] [STAGE ...]

Each stage is forked from a process that has imported everything, so that a kill hits its work and not its imports. It is killed
with SIGKILL up to five times, until it ends by itself before the next kill. Every second round begins with a full cache, where
nearly all the time goes into the outputs, and the rounds in between change between no outputs and older ones. Exits with 1 if

- after a kill, an output is there that is neither the old one nor the new one, whole;
- after the run that was not killed, the outputs differ from those of an uninterrupted run, or a temporary file is left.
"""

import argparse
import importlib
import itertools
import math
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests import tiny_run

OLD = b"of an earlier run"
MOST = 5  # kills in a round
POLL_S = 0.001


class Wrong(Exception):
    """What a killed stage left is not what was promised."""


def main() -> None:
    """Kill each stage `count` times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stages", nargs="*", metavar="STAGE", default=list(tiny_run.COMMANDS), help=", ".join(tiny_run.COMMANDS))
    parser.add_argument("--count", type=int, default=200, help="kills per stage")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    parser.add_argument("--workers", type=int, default=1, help="compute.workers")
    args = parser.parse_args()
    for stage in tiny_run.COMMANDS:
        importlib.import_module(f"stages.{stage}")
    with tempfile.TemporaryDirectory(prefix="kills-") as folder:
        work = Path(folder) / "work"
        work.mkdir()
        if wait(fork(lambda: made(work, args.stages, args.workers))):
            sys.exit("the stages do not run")
        for stage in args.stages:
            try:
                kills, rounds = Victim(stage, work, random.Random(f"{stage} {args.seed}")).kill(args.count)
            except Wrong as wrong:
                sys.exit(f"{stage}: {wrong}")
            print(f"{stage}: killed {kills} times, ended {rounds} times with the same bytes", flush=True)


def made(work: Path, stages: list[str], workers: int) -> int:
    """Make the folder in which the stages run, with what those before them write. Returns the exit status of a process that did so."""
    last = max(map([*tiny_run.COMMANDS].index, stages))
    tiny_run.make(work, stages=[*tiny_run.COMMANDS][: last + 1], workers=workers)
    return 0


class Victim:
    """A stage, what it writes uninterrupted into an empty folder, and how long that takes with an empty and with a full cache."""

    def __init__(self, stage: str, work: Path, chance: random.Random) -> None:
        self.stage, self.work, self.chance = stage, work, chance
        self.out, self.cache, self.full_cache = (work.parent / f"{stage}-{name}" for name in ("out", "cache", "full"))
        self.whole: dict[Path, bytes] = {}
        self.took_s: dict[bool, float] = {}
        for full in (False, True):
            self.prepare(full=full, old=False)
            start = time.monotonic()
            if wait(self.start()):
                raise Wrong("an uninterrupted run fails")
            self.took_s[full] = time.monotonic() - start
            if not full:
                shutil.copytree(self.cache, self.full_cache)
        self.whole = contents(self.out)

    def kill(self, count: int) -> tuple[int, int]:
        """Kill it `count` times. Returns the number of kills and of rounds, each of which ends with a run that was not killed."""
        kills = 0
        for turn in itertools.count(1):
            full, old = turn % 2 == 0, turn % 4 > 1
            self.prepare(full=full, old=old)
            moments = [self.chance.uniform(0, self.took_s[full]) for _ in range(MOST)]
            while self.killed_at(moments.pop() if moments else math.inf):
                kills += 1
                self.check_outputs(f"after kill {kills}")
            self.check_end(f"after kill {kills}")
            if kills >= count:
                return kills, turn
        raise AssertionError

    def prepare(self, *, full: bool, old: bool) -> None:
        """Empty the cache or fill it; leave no outputs, or outputs of an earlier run."""
        for path in (self.out, self.cache):
            shutil.rmtree(path, ignore_errors=True)
        self.cache.mkdir()
        if full:
            shutil.copytree(self.full_cache, self.cache, dirs_exist_ok=True)
        for path in self.whole if old else ():
            (self.out / path).parent.mkdir(parents=True, exist_ok=True)
            (self.out / path).write_bytes(OLD)
        self.out.mkdir(exist_ok=True)

    def start(self) -> int:
        """Fork the stage. Returns the id of its process."""
        return fork(lambda: tiny_run.run(self.stage, self.work, self.out, cache=self.cache)[0])

    def killed_at(self, moment_s: float) -> bool:
        """Run the stage and kill it so many seconds after its start; False if it ended before."""
        start, process = time.monotonic(), self.start()
        while time.monotonic() < start + moment_s:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                if status:
                    raise Wrong(f"a run after a kill ends with {status}: {(self.work / 'stderr').read_text()}")
                return False
            time.sleep(POLL_S)
        os.kill(process, signal.SIGKILL)
        return wait(process) == -signal.SIGKILL

    def check_outputs(self, when: str) -> None:
        """What is at the place of an output is the old one or the new one, whole."""
        found = contents(self.out)
        for name in {path.parts[0] for path in found if not path.parts[0].startswith(".")}:
            there, whole = (of_output(files, name) for files in (found, self.whole))
            if there != whole and there != dict.fromkeys(whole, OLD):
                raise Wrong(f"{when}, {name} is neither the old one nor the new one: {differing(there, whole)}")

    def check_end(self, when: str) -> None:
        """The outputs are those of an uninterrupted run, and no temporary file is left."""
        found = contents(self.out)
        if found != self.whole:
            raise Wrong(f"{when} and a clean run, the outputs differ: {differing(found, self.whole)}")
        left = [
            path for folder in (self.out, self.cache) for path in folder.rglob(".*") if path.name.endswith(".tmp") or ".tmp-" in path.name
        ]
        if left:
            raise Wrong(f"{when} and a clean run, temporary files are left: {[str(path) for path in left]}")


def contents(folder: Path) -> dict[Path, bytes]:
    """All files below a folder, by relative path."""
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def of_output(files: dict[Path, bytes], name: str) -> dict[Path, bytes]:
    """The files of one output."""
    return {path: data for path, data in files.items() if path.parts[0] == name}


def differing(found: dict[Path, bytes], whole: dict[Path, bytes]) -> list[str]:
    """The paths that differ."""
    return sorted(str(path) for path in found.keys() | whole.keys() if found.get(path) != whole.get(path))


def fork(call: Callable[[], int]) -> int:
    """Run a call in a forked process, which exits with what it returns. Returns the id of the process."""
    process = os.fork()
    if process:
        return process
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        status = call()
    finally:
        if error := sys.exception():
            traceback.print_exception(error)
        os._exit(status)


def wait(process: int) -> int:
    """The exit status of a forked process; negative is the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


if __name__ == "__main__":
    main()
