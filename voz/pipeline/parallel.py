"""Map a function over items: all cores through joblib, a progress bar with ETA, results in the order of the items."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib
from tqdm import tqdm

A = TypeVar("A")
B = TypeVar("B")


def progress(items: Iterable[A], *, total: int, label: str, unit: str = "it") -> "tqdm[A]":
    """Wrap an iterable in a progress bar with ETA; where nobody watches (no terminal) it prints a line each 20 s."""
    watched = sys.stderr.isatty()
    return tqdm(items, total=total, desc=label, unit=unit, mininterval=0.2 if watched else 20.0, dynamic_ncols=watched, delay=2.0)


def cores(workers: int) -> int:
    """Number of processes for `compute.workers` (0 = one per usable core)."""
    return workers or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else workers or os.cpu_count() or 1


def map(function: Callable[[A], B], items: Sequence[A], *, label: str, unit: str = "it", workers: int = 0) -> Iterator[B]:
    """Yield `function(item)` for each item, in order, computed in `workers` processes.

    `function` must be importable (a module's top level or a `functools.partial` of one). An exception in a worker
    reaches the caller. Few items run in this process: starting workers costs about a second.
    """
    count = min(cores(workers), len(items))
    if count <= 1 or len(items) < 4:
        yield from progress((function(item) for item in items), total=len(items), label=label, unit=unit)
        return
    parallel = joblib.Parallel(n_jobs=count, return_as="generator", backend="loky")
    yield from progress(parallel(joblib.delayed(function)(item) for item in items), total=len(items), label=label, unit=unit)
