"""Means of figures over lines with their 95 % intervals, and the differences of two voices line by line."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from voz.metrics.line_scores import Figures

BOOTSTRAP = 2000  # resamplings for an interval


@dataclass(frozen=True)
class Estimate:
    """A mean over lines and its 95 % interval, which takes more than one note."""

    mean: float
    low: float | None
    high: float | None


def interval(values: Sequence[float], notes: Sequence[str], *, seed: int) -> Estimate:
    """Mean over lines, with the 95 % percentile interval of a bootstrap over notes.

    Lines of one note share a day and a room, so they are not independent: whole notes are drawn.

    Args:
        values, notes: of each line, its value and the note that it comes from.
    """
    order = sorted(set(notes))
    sums = np.array([sum(value for value, note in zip(values, notes, strict=True) if note == each) for each in order])
    counts = np.array([list(notes).count(each) for each in order])
    mean = float(sums.sum() / counts.sum())
    if len(order) < 2:
        return Estimate(mean, None, None)
    drawn = np.random.default_rng(seed).integers(len(order), size=(BOOTSTRAP, len(order)))
    low, high = np.percentile(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1), [2.5, 97.5])
    return Estimate(mean, float(low), float(high))


def summarise(of_each: Sequence[Figures], notes: Sequence[str], *, seed: int) -> dict[str, dict[str, float]]:
    """Mean and interval of each figure over the lines that have it. notes: of each line."""
    names = list(dict.fromkeys(name for each in of_each for name in each))
    summary = {}
    for name in names:
        pairs = [(line[name], note) for line, note in zip(of_each, notes, strict=True) if name in line]
        estimate = interval([value for value, _ in pairs], [note for _, note in pairs], seed=seed)
        summary[name] = {key: value for key, value in asdict(estimate).items() if value is not None}
    return summary


def differences(base: Sequence[Figures], fine_tuned: Sequence[Figures]) -> list[Figures]:
    """Fine-tuned minus base, line by line."""
    return [{name: own[name] - other[name] for name in other if name in own} for other, own in zip(base, fine_tuned, strict=True)]
