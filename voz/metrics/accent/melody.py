"""Melody of a line: how the pitch ends its sentences, and where it peaks in stressed syllables.

In Buenos Aires the pitch peaks within the stressed vowel, in most other Spanish after it: Colantoni and Gurlekian, "Convergence and
intonation: historical evidence from Buenos Aires Spanish", 2004.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy.stats

from voz.metrics import pitch
from voz.metrics.accent import alignment
from voz.metrics.accent.alignment import Aligned, Sound

LEAST_END = 5  # voiced frames of 16 ms in an end; fewer have no slope
RISE_ST = 1.0  # an end that rises by less is level
PEAK_ST = 1.0  # a stressed vowel and the next one whose pitch spans less have no peak


@dataclass(frozen=True)
class Melody:
    """What is known of a line's melody; empty lists where the text has no such place or the voice none.

    final_slopes: semitones per second from the last stressed vowel to the end of each sentence that is no question.
    questions_rise: of each question, whether it rises there by at least RISE_ST.
    early_peaks: of each stressed vowel before an unstressed one, the last of a phrase left out, whether the pitch of the two is highest
        in it.
    """

    final_slopes: list[float] = field(default_factory=list)
    questions_rise: list[bool] = field(default_factory=list)
    early_peaks: list[bool] = field(default_factory=list)


@dataclass(frozen=True)
class Curve:
    """Pitch over time: times in s and semitones over 100 Hz of the voiced frames. [N], [N]"""

    times_s: np.ndarray
    semitones: np.ndarray

    def between(self, start_s: float, end_s: float) -> "Curve":
        """The frames from one time to another."""
        inside = (self.times_s >= start_s) & (self.times_s <= end_s)
        return Curve(self.times_s[inside], self.semitones[inside])


def curve(hz: np.ndarray) -> Curve:
    """The pitch of a recording, as `pitch.track` has found it. [N]"""
    voiced = np.isfinite(hz)
    return Curve(np.flatnonzero(voiced) * pitch.HOP_S, 12.0 * np.log2(hz[voiced] / 100.0))


def measure(text: str, aligned: Aligned, heard: Curve) -> Melody:
    """The melody of a line."""
    found = Melody()
    phrases = alignment.spoken(aligned.sounds)
    for phrase in phrases:
        found.early_peaks.extend(early for vowel, after in peak_places(phrase) if (early := peaks_early(vowel, after, heard)) is not None)
        end = end_of(phrase)
        slope = slope_of(heard.between(*end)) if end else None
        if end is None or slope is None:
            continue
        punctuation = closing(text, aligned.word_ends[phrase[-1].word])
        if "?" in punctuation:
            found.questions_rise.append(slope * (end[1] - end[0]) >= RISE_ST)
        elif re.search("[.!…]", punctuation) or phrase is phrases[-1]:
            found.final_slopes.append(slope)
    return found


def closing(text: str, end: int) -> str:
    """The punctuation that follows a place in a text."""
    return re.split(r"[\w¿¡]", text[end:], maxsplit=1)[0]


def end_of(phrase: Sequence[Sound]) -> tuple[float, float] | None:
    """From the last stressed vowel to the end of a phrase, in s; None if it has no stressed vowel."""
    starts_s = [sound.start_s for sound in phrase if sound.stressed]
    return (starts_s[-1], phrase[-1].end_s) if starts_s else None


def slope_of(heard: Curve) -> float | None:
    """Semitones per second: the median of the slopes between all frames (Theil and Sen); None if these are too few."""
    return float(scipy.stats.theilslopes(heard.semitones, heard.times_s).slope) if len(heard.times_s) >= LEAST_END else None


def peak_places(phrase: Sequence[Sound]) -> list[tuple[Sound, Sound]]:
    """The stressed vowels of a phrase but the last one, each with the unstressed vowel that follows."""
    vowels = [sound for sound in phrase if alignment.is_vowel(sound)]
    last = max((at for at, vowel in enumerate(vowels) if vowel.stressed), default=0)
    return [(vowel, after) for vowel, after in itertools.pairwise(vowels[: last + 1]) if vowel.stressed and not after.stressed]


def peaks_early(vowel: Sound, after: Sound, heard: Curve) -> bool | None:
    """Whether the pitch of two vowels peaks in the first one; None if one of them has no pitch, or both the same."""
    border_s = (vowel.end_s + after.start_s) / 2
    first, second = (heard.between(*span).semitones for span in ((vowel.start_s, border_s), (border_s, after.end_s)))
    if not len(first) or not len(second) or max(first.max(), second.max()) - min(first.min(), second.min()) < PEAK_ST:
        return None
    return bool(first.max() >= second.max())
