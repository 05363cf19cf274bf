"""Stress of the last or of the last but one syllable (*tenés*, *tenes*), told by length, level and pitch of their vowels.

Not in the product: bench_accent shows why. What espeak-ng does with a stressed vowel, people do otherwise.
"""

import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks import accent_speech
from pocket.corpus import speech
from pocket.xtts import yin
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import measures
from voz.metrics.accent import alignment
from voz.metrics.accent.alignment import Aligned
from voz.metrics.accent.spectrum import Spectrum

LAST, PENULT = "last", "last but one"
VOSEO = re.compile(r"[a-zñü]*[aeiouü][a-zñü]*[áéí]s?")  # vení, tenés, mirá; also preterites and futures, stressed alike
WEIGHTS, OFFSET = np.array([2.46, 0.61, 0.37]), -0.48  # logistic regression on 211 words of other synthetic renditions
VOWEL_HZ = (80.0, 3_000.0)


@dataclass(frozen=True)
class StressedLine:
    """A text, its recording, float32 at 22 050 Hz [T], and the syllable that it stresses, by the place of the word."""

    text: str
    pcm: np.ndarray
    stress: dict[int, str]


def renditions(count: int, seed: int) -> Iterator[StressedLine]:
    """Synthetic sentences in which every word like VOSEO is stressed on a syllable that is drawn."""
    rng = random.Random(seed)
    for number, text in enumerate(accent_speech.sentences(count, seed)):
        words = re.findall(r"\w+", text.lower())
        drawn = [_draw(word, rng) for word in words]
        left = iter(drawn)

        def change(phonemes: str, left: Iterator[str | None] = left) -> str:
            return " ".join(_with_stress(token, next(left, None)) for token in phonemes.split())

        spoken = accent_speech.by_phonemes(text, change)
        stress = {at: each for at, each in enumerate(drawn) if each}
        if stress and next(left, "") == "":  # espeak-ng has as many words as the text
            yield StressedLine(text, accent_speech.through_phone(spoken, accent_speech.voice(number, rng), rng), stress)


def of_text(text: str) -> dict[int, str]:
    """The syllable that a text's words of two or more vowels stress in Spanish, by the place of the word, where it is one of the two."""
    found = {}
    for at, token in enumerate(" ".join(line.strip() for line in speech.phonemes(text)).split()):
        vowels = [match.start() for match in re.finditer(f"[{accent_speech.VOWELS}]", token)]
        if "'" in token and len(vowels) > 1:
            stressed = next(place for place in vowels if place > token.index("'"))
            if stressed in vowels[-2:]:
                found[at] = LAST if stressed == vowels[-1] else PENULT
    return found


def classify(aligned: Aligned, pcm: np.ndarray) -> dict[int, str]:
    """The stressed syllable of each word of two or more vowels, by its place in the text."""
    level_db, hz = Spectrum(pcm), yin.pitch_hz(pcm)
    vowels: dict[int, list[alignment.Sound]] = {}
    for sound in aligned.sounds:
        if not alignment.is_pause(sound) and alignment.is_vowel(sound):
            vowels.setdefault(sound.word, []).append(sound)
    band_db = level_db.band_db(VOWEL_HZ)
    found = {}
    for word, each in vowels.items():
        if len(each) > 1:
            cues = [_cues(sound, level_db, band_db, hz) for sound in each[-2:]]
            difference = np.nan_to_num(cues[1] - cues[0])
            found[word] = LAST if difference @ WEIGHTS + OFFSET > 0 else PENULT
    return found


def _cues(sound: alignment.Sound, spectrum: Spectrum, band_db: np.ndarray, hz: np.ndarray) -> np.ndarray:
    """Length in octaves, level in dB, pitch in semitones (NaN if unvoiced) of a vowel. [3]"""
    per_s = SAMPLE_RATE_HZ / measures.HOP
    pitch_hz = hz[int(max(0, sound.start_s * per_s - 1)) : int(sound.end_s * per_s) + 1]
    pitch_hz = pitch_hz[np.isfinite(pitch_hz)]
    level_db = np.percentile(band_db[spectrum.frames(sound.start_s, sound.end_s)], 90)
    pitch_st = 12 * math.log2(pitch_hz.max() / 100) if len(pitch_hz) else math.nan
    return np.array([math.log2(max(sound.end_s - sound.start_s, alignment.HOP_S)), level_db, pitch_st])


def _draw(word: str, rng: random.Random) -> str | None:
    return rng.choice((LAST, PENULT)) if VOSEO.fullmatch(word) else None


def _with_stress(token: str, stress: str | None) -> str:
    """A word of phonemes, stressed on another vowel; as it is if there is nothing to choose."""
    bare = token.replace("'", "").replace(",", "")
    vowels = [match.start() for match in re.finditer(f"[{accent_speech.VOWELS}]", bare)]
    if stress is None or len(vowels) < 2:
        return token
    place = vowels[-1 if stress == LAST else -2]
    return f"{bare[:place]}'{bare[place:]}"
