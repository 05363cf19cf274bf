"""Map a function over items on all cores (joblib): a progress bar with ETA, results in the order of the items."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import joblib
from tqdm import tqdm

A = TypeVar("A")
B = TypeVar("B")

BAR_DELAY_S = 2.0  # work that is quicker shows no bar
FEW_ITEMS = 4  # fewer run in this process: starting the workers takes about a second


def progress(items: Iterable[A], *, total: int, label: str, unit: str = "it") -> "tqdm[A]":
    """Wrap an iterable in a progress bar with ETA. Without a terminal it prints a line every 20 s."""
    terminal = sys.stderr.isatty()
    return tqdm(items, total=total, desc=label, unit=unit, mininterval=0.2 if terminal else 20.0, dynamic_ncols=terminal, delay=BAR_DELAY_S)


def cores(workers: int) -> int:
    """Number of processes for `compute.workers` (0 = one per core that this process may use)."""
    if workers:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map(function: Callable[[A], B], items: Sequence[A], *, label: str, unit: str = "it", workers: int = 0) -> Iterator[B]:
    """Yield `function(item)` for each item, in order, computed in `workers` processes (0 = one per core).

    `function` must be importable by name: defined at a module's top level, or a `functools.partial` of such a function.
    An exception in a worker is raised here.
    """
    processes = min(cores(workers), len(items))
    if processes <= 1 or len(items) < FEW_ITEMS:
        yield from progress((function(item) for item in items), total=len(items), label=label, unit=unit)
        return
    parallel = joblib.Parallel(n_jobs=processes, return_as="generator", backend="loky")
    yield from progress(parallel(joblib.delayed(function)(item) for item in items), total=len(items), label=label, unit=unit)
