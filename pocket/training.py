"""What the five trainings share: resuming, the loop over steps, checkpoints, the curve, progress, the learning rate.

A step's batch and learning rate depend on the step's number alone, so a resumed training computes what an unbroken one would have.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from voz.model import checkpoint

Numbers = dict[str, float]


class Stateful(Protocol):
    """A module, an optimizer, or several of them."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any: ...


@dataclass
class Training:
    """A training of `steps` steps, saved every `save_every` steps and after the last.

    Beside the checkpoint `<name>.pt` lies the curve `<name>.jsonl`: for each save the step, the means of the steps' numbers since the last
    save, what was measured, and the hours since the command started.

    path: the checkpoint.
    parts: what the checkpoint holds, by name.
    writes: False for a process that only computes.
    """

    path: Path
    parts: Mapping[str, Stateful]
    steps: int
    save_every: int
    print_every: int
    writes: bool = True
    done: int = field(default=0, init=False)

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one. Parts that it lacks start anew: pocket/xtts/unpack.py writes models alone."""
        if not self.path.exists():
            return
        content = checkpoint.read(self.path)
        missing = [name for name in self.parts if name not in content]
        for name, part in self.parts.items():
            if name in content:
                part.load_state_dict(content[name])
        self.done = int(content["step"])
        if self.writes:
            print(f"resumed {self.path.name} at step {self.done}" + (f", {', '.join(missing)} anew" if missing else ""), flush=True)

    def run(
        self,
        advance: Callable[[int], Numbers],
        *,
        measure: Callable[[Numbers], Numbers] = lambda means: {},
        states: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        """Do the steps that are left.

        Args:
            advance: does the step of a number, counted from 0; returns what to report of it.
            measure: is called after each save with the means since the last; returns what to add to the curve.
            states: what to save beside the parts.
        """
        progress, started, recent = Progress(self.path.stem, self.steps, self.print_every), time.monotonic(), Means()
        for step in range(self.done, self.steps):
            numbers = advance(step)
            self.done = step + 1
            if not self.writes:
                continue
            progress.add(self.done, numbers)
            recent.add(numbers)
            if self.done % self.save_every == 0 or self.done == self.steps:
                self.save(states())
                means = recent.take()
                self.note({**means, **measure(means)}, hours=(time.monotonic() - started) / 3600)

    def save(self, states: dict[str, Any]) -> None:
        """Write the checkpoint."""
        parts = {name: part.state_dict() for name, part in self.parts.items()}
        checkpoint.write(self.path, {**states, **parts, "step": self.done})

    def note(self, numbers: Numbers, *, hours: float) -> None:
        """Print a row of the curve and append it."""
        row = {"step": self.done, **{name: round(float(value), 4) for name, value in numbers.items()}, "hours": round(hours, 3)}
        print(row, flush=True)
        with open(self.path.with_suffix(".jsonl"), "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Means:
    """Running means of named numbers."""

    def __init__(self) -> None:
        self.sums: Numbers = {}
        self.count = 0

    def add(self, numbers: Numbers) -> None:
        self.count += 1
        for name, value in numbers.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value)

    def take(self) -> Numbers:
        """The means so far; the next ones begin here."""
        found = {name: value / self.count for name, value in self.sums.items()}
        self.sums, self.count = {}, 0
        return found


class Progress:
    """One line every `every` steps: means of what was reported since the last line, seconds per step, minutes left."""

    def __init__(self, label: str, steps: int, every: int) -> None:
        self.label, self.steps, self.every = label, steps, every
        self.means, self.since = Means(), time.monotonic()

    def add(self, step: int, numbers: Numbers) -> None:
        """Report one step's numbers; `step` counts from 1."""
        self.means.add(numbers)
        if step % self.every and step != self.steps:
            return
        pace_s = (time.monotonic() - self.since) / self.means.count
        left_min = pace_s * (self.steps - step) / 60
        values = "  ".join(f"{name} {value:.4f}" for name, value in self.means.take().items())
        print(f"{self.label} {step}/{self.steps}  {values}  {pace_s:.2f} s/step  {left_min:.0f} min left", flush=True)
        self.since = time.monotonic()


def warm_cosine(step: int, *, steps: int, warm: int, peak: float, last: float = 0.05) -> float:
    """Learning rate: linear up to `peak` in `warm` steps, then a half cosine down to `last * peak`."""
    if step < warm:
        return peak * (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, steps - warm))
    return peak * (last + (1 - last) * 0.5 * (1 + float(np.cos(np.pi * share))))


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the learning rate of all parameters."""
    for group in optimizer.param_groups:
        group["lr"] = rate
