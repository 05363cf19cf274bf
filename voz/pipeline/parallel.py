"""Map a function over items, on the cores of this machine (joblib) or on a Ray cluster: a progress bar with ETA, results in order."""

import collections
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm import tqdm

from voz.pipeline import cluster
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

A = TypeVar("A")
B = TypeVar("B")

BAR_DELAY_S = 2.0  # work that is quicker shows no bar
FEW_ITEMS = 4  # fewer run in this process: starting the workers takes about a second
TRIED_ALONE = 2  # items for each process after one died: joblib has so many in work


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


def ahead(function: Callable[[A], B], items: Iterable[A]) -> Iterator[tuple[A, B]]:
    """Yield each item with `function(item)`, in order. A thread computes the next one while the caller works with this one."""
    waiting: collections.deque[tuple[A, Future[B]]] = collections.deque()
    with ThreadPoolExecutor(max_workers=1) as thread:
        for item in items:
            waiting.append((item, thread.submit(function, item)))
            if len(waiting) > 1:
                first, value = waiting.popleft()
                yield first, value.result()
        for last, value in waiting:
            yield last, value.result()


def map(
    function: Callable[[A], B],
    items: Sequence[A],
    *,
    label: str,
    unit: str = "it",
    engine: Engine = Engine(),
    died: Callable[[A], B] | None = None,
    again: bool = False,
) -> Iterator[B]:
    """Yield `function(item)` for each item, in order.

    `function` must be importable by name unless it runs in this process: defined at a module's top level, or a `functools.partial`
    of such a function. An exception in a worker is raised here.

    Args:
        died: gives the value of an item that ended its process each time it was tried. All other items are computed nevertheless.
        again: one of the items ended a process before: however few they are, this process does not run them.

    Raises:
        UserError: an item ended its process each time, and there is no `died`; see `cluster.map`.
    """
    results = _results(function, items, engine, died or refuse, here=not again)
    yield from progress(results, total=len(items), label=label, unit=unit)


def refuse(item: object) -> Any:
    """What `map` does about an item that ended its process each time.

    Raises:
        UserError: always.
    """
    raise UserError(
        "{item}: the process that computed it died each time",
        "leave it out, or free some memory and lower compute.workers in params.yaml",
        item=getattr(item, "id", item),
    )


def _results(function: Callable[[A], B], items: Sequence[A], engine: Engine, died: Callable[[A], B], *, here: bool) -> Iterator[B]:
    """As `map`, without the progress bar. here: this process may run the items if they are few."""
    if engine.ray_address and items:
        return cluster.map(function, items, address=engine.ray_address, gpu=engine.gpu, died=died)
    processes = cores(engine.workers)
    if processes == 1 or (here and len(items) < FEW_ITEMS):
        return (function(item) for item in items)
    return _in_order(_on_this_machine(function, items, min(processes, max(len(items), 2)), died))  # joblib runs one at a time here


def _in_order(numbered: Iterable[tuple[int, B]]) -> Iterator[B]:
    """The values by their numbers, from 0 on; each as soon as those before it are there."""
    early: dict[int, B] = {}
    following = 0
    for number, value in numbered:
        early[number] = value
        while following in early:
            yield early.pop(following)
            following += 1


def _on_this_machine(function: Callable[[A], B], items: Sequence[A], processes: int, died: Callable[[A], B]) -> Iterator[tuple[int, B]]:
    """The number and value of each item, as they are done.

    A process that dies takes the others' work in progress with it, and does not say which item it had. So the items that were next
    are tried again alone, which tells: whoever ends its process there too has died.
    """
    import joblib  # only here: the pages that are served have an environment without it
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    def pool(numbers: Sequence[int]) -> Iterator[tuple[int, B]]:
        """By a new pool each time: out of one whose process died, late results come in its next call. joblib keeps the processes."""
        jobs = joblib.Parallel(n_jobs=processes, return_as="generator_unordered", backend="loky")
        found: Iterator[tuple[int, B]] = jobs(joblib.delayed(_numbered)(function, number, items[number]) for number in numbers)
        return found

    waiting = dict(enumerate(items))
    while waiting:
        try:
            for number, value in pool(list(waiting)):
                del waiting[number]
                yield number, value
        except TerminatedWorkerError:
            for number, item in list(waiting.items())[: processes * TRIED_ALONE]:
                del waiting[number]
                try:
                    (result,) = pool([number])
                except TerminatedWorkerError:
                    result = number, died(item)
                yield result


def _numbered(function: Callable[[A], B], number: int, item: A) -> tuple[int, B]:
    return number, function(item)
