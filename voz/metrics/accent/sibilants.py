"""/s/ before consonants and at the end of a phrase: kept, or aspirated or lost (*los padres* as [loh ˈpadɾe]).

A kept /s/ is friction like that of the same line's /s/ before vowels, which every Spanish speaker keeps: nearly as much power from 4
to 8 kHz over that from 0.5 to 3 kHz, nearly as loud, and at least 30 ms long.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics.accent import alignment
from voz.metrics.accent.alignment import Sound
from voz.metrics.accent.spectrum import HOP, Spectrum

FRICTION_HZ, VOWEL_HZ = (4_000.0, 8_000.0), (500.0, 3_000.0)
MARGIN_S = 0.015  # on both sides of an /s/
RANK = 75.0  # percentile over the frames of an /s/ before a vowel
RATIO_DB, LEVEL_DB = 10.0, 20.0  # a frame is friction if it is not further below the line's /s/ before vowels
SHORTEST_S = 0.030  # friction of a kept /s/; aspirated ones have none in most cases, kept ones 75 ms (median)
LEAST_DB = -10.0  # of the line's /s/ before vowels, friction over vowel: below, the recording has no sound above 4 kHz
LIKE_S = ("s", "S", "Z", "tS", "dZ", "J", "J^", "x")  # before these, friction may be the next sound's


@dataclass(frozen=True)
class Sibilants:
    """Each /s/ before a consonant (`coda`) and before a pause (`final`) of a line: True if it is kept."""

    coda: list[bool]
    final: list[bool]


def onset(sounds: Sequence[Sound]) -> list[Sound]:
    """The /s/ before a vowel or glide of the same word."""
    return [each for phrase in alignment.spoken(sounds) for each, after in _followed(phrase) if _is_onset(each, after)]


def coda(sounds: Sequence[Sound]) -> list[Sound]:
    """The /s/ before a consonant, in the same word or the next, unless that one is a fricative like it."""
    pairs = [pair for phrase in alignment.spoken(sounds) for pair in _followed(phrase)]
    return [each for each, after in pairs if after is not None and not alignment.is_vocalic(after) and after.name not in LIKE_S]


def final(sounds: Sequence[Sound]) -> list[Sound]:
    """The /s/ before a pause."""
    return [each for phrase in alignment.spoken(sounds) for each, after in _followed(phrase) if after is None]


def measure(sounds: Sequence[Sound], spectrum: Spectrum) -> Sibilants | None:
    """Which /s/ are kept; None if the line has no /s/ before a vowel to compare with, or if that has no friction."""
    ratio_db, level_db = spectrum.ratio_db(FRICTION_HZ, VOWEL_HZ), spectrum.band_db(FRICTION_HZ)
    models = [_frames(spectrum, each) for each in onset(sounds)]
    if not models:
        return None
    usual_ratio_db, usual_level_db = (float(np.median([np.percentile(of[each], RANK) for each in models])) for of in (ratio_db, level_db))
    if usual_ratio_db < LEAST_DB:
        return None
    friction = (ratio_db > usual_ratio_db - RATIO_DB) & (level_db > usual_level_db - LEVEL_DB)

    def kept(each: Sound) -> bool:
        return bool(friction[_frames(spectrum, each)].sum() * HOP / SAMPLE_RATE_HZ >= SHORTEST_S)

    return Sibilants([kept(each) for each in coda(sounds)], [kept(each) for each in final(sounds)])


def _frames(spectrum: Spectrum, sound: Sound) -> slice:
    return spectrum.frames(sound.start_s - MARGIN_S, sound.end_s + MARGIN_S)


def _followed(phrase: Sequence[Sound]) -> list[tuple[Sound, Sound | None]]:
    """Each /s/ of a phrase, with the sound after it; None at its end."""
    after: list[Sound | None] = [*phrase[1:], None]
    return [(each, following) for each, following in zip(phrase, after, strict=True) if each.name == "s"]


def _is_onset(sound: Sound, after: Sound | None) -> bool:
    return after is not None and alignment.is_vocalic(after) and after.word == sound.word
