"""What the trainings of the pocket models share."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch


def resume(path: Path, modules: dict[str, Any]) -> int:
    """Load a checkpoint's states into what has `load_state_dict`; returns the number of steps done, 0 without a checkpoint.

    One from `pocket/xtts/unpack.py` holds the model alone: the others begin anew.
    """
    if not path.exists():
        return 0
    content = torch.load(path, map_location="cpu", weights_only=True)
    anew = [name for name in modules if name not in content]
    for name, module in modules.items():
        if name in content:
            module.load_state_dict(content[name])
    print(f"resumed {path.name} at step {content['step']}" + (f", {', '.join(anew)} anew" if anew else ""), flush=True)
    return int(content["step"])


def warm_cosine(step: int, *, steps: int, warm: int, peak: float, last: float = 0.05) -> float:
    """Learning rate: linear up to `peak` in `warm` steps, then a half cosine down to `last * peak`."""
    if step < warm:
        return peak * (step + 1) / warm
    share = min(1.0, (step - warm) / max(1, steps - warm))
    return peak * (last + (1 - last) * 0.5 * (1 + float(np.cos(np.pi * share))))


class Progress:
    """One line every `every` steps: means of what was reported since the last line, seconds per step, minutes left."""

    def __init__(self, label: str, steps: int, every: int) -> None:
        self.label, self.steps, self.every = label, steps, every
        self.sums: dict[str, float] = {}
        self.count, self.since = 0, time.monotonic()

    def add(self, step: int, **values: float) -> None:
        """Report one step's numbers; `step` counts from 1."""
        self.count += 1
        for key, value in values.items():
            self.sums[key] = self.sums.get(key, 0.0) + float(value)
        if step % self.every and step != self.steps:
            return
        pace_s = (time.monotonic() - self.since) / self.count
        means = "  ".join(f"{key} {value / self.count:.4f}" for key, value in self.sums.items())
        left_min = pace_s * (self.steps - step) / 60
        print(f"{self.label} {step}/{self.steps}  {means}  {pace_s:.2f} s/step  {left_min:.0f} min left", flush=True)
        self.sums, self.count, self.since = {}, 0, time.monotonic()
