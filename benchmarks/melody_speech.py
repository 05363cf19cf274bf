"""Speech whose melody is known: espeak-ng on one note, with a drawn curve of pitch; and a real speaker's ends, bent by a known amount.

The curve: declination, a peak in each stressed vowel or in the one after it, and a straight fall or rise from the last stressed vowel of
a phrase to its end. Pitch is changed by overlap-add of grains of two periods (PSOLA), which leaves times and formants as they are.
Real ends are played faster or slower, which needs no knowledge of the voice.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.interpolate import CubicSpline

from benchmarks import accent_speech, bench_pitch
from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak, pitch
from voz.metrics.accent import alignment, melody
from voz.metrics.accent.alignment import HOP_S, Aligned, Sound
from voz.metrics.accent.melody import Curve

DECLINATION_ST = (1.0, 4.0)  # over a phrase
PEAK_ST, PEAK_FOOT_S = (2.0, 6.0), 0.13  # height, and the time from its foot to it
PEAK_PLACE = (0.2, 0.8)  # of the vowel
END_ST = (2.0, 10.0)  # up or down at a phrase's end
BEND_ST = (1.5, 4.0)  # of a real speaker's end, up or down
LOWEST_HZ = 65.0  # a lower note's period is not found
AGREEMENT = 0.03  # of two measures of the note; where they disagree, the voice has no known pitch


@dataclass(frozen=True)
class Sung:
    """A recording, float32 at 22 050 Hz [T], its true sounds and its true pitch where it is voiced."""

    text: str
    pcm: np.ndarray
    sounds: Aligned
    curve: Curve


def pairs(count: int, seed: int) -> Iterator[list[Sung]]:
    """Statements and questions, each in two voices with two melodies."""
    rng = random.Random(seed)
    for text in accent_speech.sentences(count, seed):
        asked = text.rstrip(".!?…") + rng.choice(".?")
        found = [sing(asked, accent_speech.voice(rng.randrange(len(accent_speech.VARIANTS)), rng), rng) for _ in range(2)]
        yield [each for each in found if each]


def sing(text: str, speaker: espeak.Speaker, rng: random.Random) -> Sung | None:
    """A text with a drawn melody, through a phone; None if the voice's own note is not known."""
    flat = espeak.say(text, replace(speaker, pitch_range=0))
    pcm = wav.resample(flat.pcm, flat.rate_hz, SAMPLE_RATE_HZ)
    tracked_hz = pitch.track(pcm)
    tracked_hz = tracked_hz[np.isfinite(tracked_hz)]
    if not len(tracked_hz) or np.median(tracked_hz) < LOWEST_HZ:
        return None
    note_hz, times_s, voiced = bench_pitch.note_of(pcm)
    if abs(np.median(tracked_hz) / note_hz - 1) > AGREEMENT:
        return None
    sounds = [Sound(phone.name, phone.start_s, phone.end_s, phone.word, phone.stressed) for phone in flat.phones]
    grid_s = np.arange(len(pcm) // alignment.HOP) * HOP_S
    shift_st = draw_melody(sounds, grid_s, rng)
    near = np.clip(np.round((grid_s - times_s[0]) / 0.01).astype(int), 0, len(voiced) - 1)
    sings = voiced[near] != 0
    changed = with_pitch(pcm, note_hz, np.where(sings, shift_st, 0.0))
    truth = Curve(grid_s[sings], shift_st[sings] + 12 * np.log2(note_hz / 100))
    return Sung(text, accent_speech.coded(changed, SAMPLE_RATE_HZ, rng), Aligned(sounds, flat.words, flat.word_ends), truth)


def draw_melody(sounds: Sequence[Sound], times_s: np.ndarray, rng: random.Random) -> np.ndarray:
    """Semitones over the voice's note at each time. [N]"""
    shift_st = np.zeros(len(times_s))
    for phrase in alignment.spoken(sounds):
        first_s, last_s = phrase[0].start_s, phrase[-1].end_s
        shift_st -= _ramp(times_s, first_s, last_s, rng.uniform(*DECLINATION_ST))
        peaks_st = np.zeros(len(times_s))
        for places in melody.peak_places(phrase):
            vowel = rng.choice(places)
            peak_s = vowel.start_s + rng.uniform(*PEAK_PLACE) * (vowel.end_s - vowel.start_s)
            shape = 0.5 + 0.5 * np.cos(np.pi * np.clip((times_s - peak_s) / PEAK_FOOT_S, -1, 1))
            peaks_st = np.maximum(peaks_st, rng.uniform(*PEAK_ST) * shape)
        shift_st += peaks_st
        end = melody.end_of(phrase)
        if end:
            shift_st += _ramp(times_s, *end, rng.choice((-1, 1)) * rng.uniform(*END_ST))
    return shift_st - shift_st.mean()


def _ramp(times_s: np.ndarray, start_s: float, end_s: float, rise_st: float) -> np.ndarray:
    """A straight rise from one time to another, nothing before and after."""
    inside = (times_s >= start_s) & (times_s < end_s)
    return np.where(inside, rise_st * (times_s - start_s) / (end_s - start_s), 0.0)


def with_pitch(pcm: np.ndarray, note_hz: float, shift_st: np.ndarray) -> np.ndarray:
    """Flat speech with another pitch: grains of two periods, laid closer or wider. [T], semitones each 5 ms [N] -> [T]"""
    period = SAMPLE_RATE_HZ / note_hz
    size = round(period)
    window = np.hanning(2 * size + 1)
    padded = np.pad(pcm.astype(np.float64), (2 * size, 4 * size))
    total, weight = np.zeros_like(padded), np.zeros_like(padded)
    at = 0.0
    while at < len(pcm):
        source, target = (2 * size + round(each) for each in (round(at / period) * period, at))
        total[target - size : target + size + 1] += window * padded[source - size : source + size + 1]
        weight[target - size : target + size + 1] += window
        at += period / 2 ** (shift_st[min(int(at / alignment.HOP), len(shift_st) - 1)] / 12)
    return (total / np.maximum(weight, 0.5))[2 * size : 2 * size + len(pcm)].astype(np.float32)


@dataclass(frozen=True)
class Bent:
    """A prompt of the real speaker whose end is bent up and down, and by how many semitones per second the two differ."""

    text: str
    pcms: list[np.ndarray]
    difference: float


def bent_lines(folder: Path, seed: int) -> Iterator[Bent]:
    """The prompts whose last stressed vowel is found, each with its end bent by two drawn amounts."""
    rng = random.Random(seed)
    for prompt in accent_speech.real_lines(folder, seed):
        phrases = alignment.spoken(alignment.align(prompt.said, prompt.pcm).sounds)
        end = melody.end_of(phrases[-1]) if phrases else None
        if end and end[1] - end[0] > 0.1:
            up, down = (sign * rng.uniform(*BEND_ST) for sign in (1, -1))
            bent = [bend(prompt.pcm, *end, amount) for amount in (up, down)]
            yield Bent(
                prompt.said, [accent_speech.coded(pcm, SAMPLE_RATE_HZ, rng) for pcm, _ in bent], sum(abs(slope) for _, slope in bent)
            )


def bend(pcm: np.ndarray, start_s: float, end_s: float, rise_st: float) -> tuple[np.ndarray, float]:
    """Play a stretch of a recording ever faster or slower. [T] -> [T'], and the change of its slope in semitones per second"""
    place_s = np.arange(len(pcm)) / SAMPLE_RATE_HZ
    speed = 2 ** (_ramp(place_s, start_s, end_s, rise_st) / 12)
    when_s = np.concatenate([[0.0], np.cumsum(1 / speed)[:-1]]) / SAMPLE_RATE_HZ
    out_s = np.arange(int(when_s[-1] * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    played = CubicSpline(place_s, pcm)(np.interp(out_s, when_s, place_s)).astype(np.float32)
    lasts_s = float(np.interp(end_s, place_s, when_s) - np.interp(start_s, place_s, when_s))
    return played, rise_st / lasts_s
