"""Map a function over items, on the cores of this machine (joblib) or on a Ray cluster: a progress bar with ETA, results in order."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tqdm import tqdm

from voz.pipeline import cluster
from voz.pipeline.language import tr

A = TypeVar("A")
B = TypeVar("B")

BAR_DELAY_S = 2.0  # work that is quicker shows no bar
FEW_ITEMS = 4  # fewer run in this process: starting the workers takes about a second


@dataclass(frozen=True)
class Engine:
    """What computes the items.

    workers: processes of this machine; 0 = one per core.
    ray_address: of a Ray cluster, which then computes them instead; empty = this machine.
    gpu: whether an item needs an accelerator. Heeded by the cluster; on this machine `workers` says how many run at a time.
    """

    workers: int = 0
    ray_address: str = ""
    gpu: bool = False


HERE = Engine(workers=1)  # this process


def progress(items: Iterable[A], *, total: int, label: str, unit: str = "it", shown: bool = True) -> "tqdm[A]":
    """Wrap an iterable in a progress bar with ETA, in the user's language. Without a terminal it prints a line every 20 s."""
    terminal = sys.stderr.isatty()
    every_s = 0.2 if terminal else 20.0
    times = {"mininterval": every_s, "delay": BAR_DELAY_S}
    return tqdm(items, total=total, desc=tr(label), unit=tr(unit), dynamic_ncols=terminal, disable=not shown, **times)


def cores(workers: int) -> int:
    """Number of processes for `compute.workers` (0 = one per core that this process may use)."""
    if workers:
        return workers
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def map(function: Callable[[A], B], items: Sequence[A], *, label: str, unit: str = "it", engine: Engine = Engine()) -> Iterator[B]:
    """Yield `function(item)` for each item, in order.

    `function` must be importable by name unless it runs in this process: defined at a module's top level, or a `functools.partial`
    of such a function. An exception in a worker is raised here.

    Raises:
        UserError: see `cluster.map`.
    """
    yield from progress(_results(function, items, engine), total=len(items), label=label, unit=unit)


def _results(function: Callable[[A], B], items: Sequence[A], engine: Engine) -> Iterator[B]:
    """As `map`, without the progress bar."""
    if engine.ray_address and items:
        return cluster.map(function, items, address=engine.ray_address, gpu=engine.gpu)
    processes = min(cores(engine.workers), len(items))
    if processes <= 1 or len(items) < FEW_ITEMS:
        return (function(item) for item in items)
    import joblib  # only here: the pages that are served have an environment without it

    pool = joblib.Parallel(n_jobs=processes, return_as="generator", backend="loky")
    results: Iterator[B] = pool(joblib.delayed(function)(item) for item in items)
    return results
