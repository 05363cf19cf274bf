"""Rhythm of a line, from the durations of its vocalic intervals: vowels and glides that follow each other within a phrase.

%V and the idea: Ramus, Nespor and Mehler, "Correlates of linguistic rhythm in the speech signal", 1999. VarcoV: White and Mattys,
"Calibrating rhythm", 2007.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voz.metrics.accent import alignment
from voz.metrics.accent.alignment import Sound

LEAST = 6  # vocalic intervals: fewer say nothing about a rhythm


@dataclass(frozen=True)
class Rhythm:
    """The rhythm of a line.

    vowel_share: of the time without pauses, 0 to 1 (%V).
    varco: standard deviation of the intervals over their mean (VarcoV / 100).
    last_vowel: mean length of the last intervals of phrases over that of all others.
    """

    vowel_share: float
    varco: float
    last_vowel: float


def measure(sounds: Sequence[Sound]) -> Rhythm | None:
    """The rhythm of a line; None if it has too few vowels, or no length: of a line that ends at once, all sounds lie at one place."""
    phrases = [found for phrase in alignment.spoken(sounds) if (found := _intervals_s(phrase))]
    lengths_s = np.concatenate([np.array(phrase) for phrase in phrases]) if phrases else np.zeros(0)
    others_s = np.array([length for phrase in phrases for length in phrase[:-1]])
    total_s = sum(phrase[-1].end_s - phrase[0].start_s for phrase in alignment.spoken(sounds))
    if len(lengths_s) < LEAST or not len(others_s) or not total_s:
        return None
    return Rhythm(
        vowel_share=float(lengths_s.sum() / total_s),
        varco=float(lengths_s.std() / lengths_s.mean()),
        last_vowel=float(np.mean([phrase[-1] for phrase in phrases]) / others_s.mean()),
    )


def _intervals_s(phrase: Sequence[Sound]) -> list[float]:
    """Lengths of the vocalic intervals of a phrase, in order."""
    groups = itertools.groupby(phrase, key=alignment.is_vocalic)
    spans = [list(group) for vocalic, group in groups if vocalic]
    return [max(span[-1].end_s - span[0].start_s, alignment.HOP_S) for span in spans]
