"""Queued experiments by one worker and by two on the same machine: whether two share its cores or starve each other.

    python -m benchmarks.bench_queue FOLDER [--experiments 4] [--turns 2]

Reads   eight demo notes, the pocket models
Writes  FOLDER (a checkout with a pipeline that has run); a table on stdout, ready for benchmarks/README.md

Each experiment trains for two epochs at a rate of its own and speaks; the stages before the training come from the cache. Every turn has
other rates, so that nothing is in the cache.
"""

import argparse
import shutil
import statistics
import time
from pathlib import Path

from tests import checkout as checkouts
from tests.checkout import Checkout
from voz.pipeline import command

NOTES = "data/demo/tiny/notes"
TINY = {"train": {"epochs": 2, "min_minutes": 0.0}, "evaluate": {"lines": 2}, "synthesize": {"max_tries": 1}}
POLL_S = 1.0


def repository(folder: Path) -> Checkout:
    """A checkout in which all is up to date."""
    shutil.rmtree(folder, ignore_errors=True)
    made = checkouts.of_project(folder, NOTES, 8, TINY)
    made.commit("eight notes")
    made.repro()
    made.commit("the voice")
    return made


def seconds(checkout: Checkout, rates: list[float], workers: int) -> float:
    """How long so many workers take for an experiment of each rate."""
    for rate in rates:
        checkout.run("dvc", "exp", "run", "--queue", "-S", f"train.lr={rate:.8f}")
    start = time.monotonic()
    checkout.run("dvc", "queue", "start", "-j", str(workers))
    while any(word in checkout.run("dvc", "queue", "status") for word in ("Queued", "Running")):
        time.sleep(POLL_S)
    took_s = time.monotonic() - start
    status = checkout.run("dvc", "queue", "status")
    if status.count("Success") != len(rates):
        raise command.UserError("an experiment failed", "see `dvc queue logs` in the checkout")
    checkout.run("dvc", "queue", "stop", "--kill")
    checkout.run("dvc", "queue", "remove", "--success")
    return took_s


def main() -> None:
    """Measure and print the table."""
    args = parse_args()
    checkout = repository(args.folder / "checkout")
    took: dict[int, list[float]] = {1: [], 2: []}
    for turn in range(args.turns):
        for workers, of in took.items():
            rates = [1e-4 + 1e-6 * (number + args.experiments * (2 * turn + workers)) for number in range(args.experiments)]
            of.append(seconds(checkout, rates, workers))
    print(f"| {args.experiments} experiments | s |\n|---|---|")
    for workers, of in took.items():
        name = "one worker" if workers == 1 else "two workers"
        print(f"| {name} | {statistics.median(of):.0f} ({min(of):.0f} to {max(of):.0f}) |")
    ratios = [one / two for one, two in zip(took[1], took[2], strict=True)]
    print(f"| one / two | **{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f}) |")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--experiments", type=int, default=4)
    parser.add_argument("--turns", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
