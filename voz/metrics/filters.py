"""Scores of a clip: one number per doubt, each from figures or samples alone. What a score must not pass is in params.yaml.

A score never decides: `stages/curate.py` compares it with its threshold, and a person's correction overrules it.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import stft

from voz.audio.wav import SAMPLE_RATE_HZ

# What whisper writes when nobody speaks: the ends of the subtitled videos it learnt from.
PHRASES = """
gracias por ver el video
muchas gracias por ver el video
gracias por ver
gracias por mirar
gracias por su atención
muchas gracias
gracias
subtítulos por la comunidad de amara org
subtítulos realizados por la comunidad de amara org
subtítulos creados por la comunidad de amara org
subtitulado por la comunidad de amara org
subtítulos
suscríbete al canal
suscribite al canal
suscríbete
no olvides suscribirte
dale like y suscríbete
hasta la próxima
nos vemos en el próximo video
nos vemos en la próxima
hasta el próximo video
más información en www alimmenta com
www mooji org
música
aplausos
adiós
""".strip().splitlines()
NORMAL_CHARS_PER_S = 15.0  # conversational Spanish: about 7.5 syllables of 2 letters a second of speech
_RUN_WORDS = 4  # as many words of the prompt in a row are a leak; fewer happen by chance ("la calle")
_FRAME = 2048  # 93 ms at 22 050 Hz, lines 11 Hz apart: the partials of a chord stand clear of each other
_PEAK = 110  # 5 ms at 22 050 Hz: a period of a low voice
_MAX_LAG = 8  # frames of 20 ms by which a copy may be shifted: another encoder's delay, another cut
_EPSILON = 1e-10


@dataclass(frozen=True)
class Sound:
    """What the samples of a clip tell.

    envelope: log energy each 20 ms, mean 0, length 1. [T / 441]
    """

    clipping: float
    bandwidth_hz: float
    music: float
    envelope: np.ndarray


def listen(pcm: np.ndarray) -> Sound:
    """Measure a clip. float32 at 22 050 Hz [T]"""
    return Sound(clipping=clipping(pcm), bandwidth_hz=bandwidth_hz(pcm), music=music(pcm), envelope=envelope(pcm))


def fold(text: str) -> str:
    """Words in lower case without accents or punctuation, so that spelling does not hide a match."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def chars_per_s(text: str, speech_s: float) -> float:
    """Characters a second of speech. Far below 15: words are missing; far above: words that nobody said."""
    return len(text) / max(speech_s, 0.1)


def hallucination(text: str, *, speech_s: float, avg_logprob: float, no_speech_prob: float) -> float:
    """List x duration x confidence, each in [0, 1], as a geometric mean: one factor near 0 acquits.

    The list alone proves nothing: people do say "gracias". The words must be the list's, take another time than saying
    them takes, and whisper must have doubted.
    """
    words = fold(text)
    if not words:
        return 0.0
    covered = words
    for phrase in sorted((fold(p) for p in PHRASES), key=len, reverse=True):
        covered = re.sub(rf"\b{phrase}\b", lambda m: "#" * len(m[0]), covered)
    listed = covered.count("#") / len(words)
    misfit = min(1.0, abs(float(np.log2(max(speech_s, 0.1) * NORMAL_CHARS_PER_S / len(words)))))
    doubt = max(no_speech_prob, 1.0 - float(np.exp(min(avg_logprob, 0.0))))
    return float(np.cbrt(listed * misfit * doubt))


def prompt_leak(text: str, prompt: str) -> float:
    """Share of the words that stand in runs of four or more of the prompt's own words."""
    said, given = fold(text).split(), fold(prompt).split()
    runs = {tuple(given[i : i + _RUN_WORDS]) for i in range(len(given) - _RUN_WORDS + 1)}
    leaked = np.zeros(len(said), bool)
    for i in range(len(said) - _RUN_WORDS + 1):
        if tuple(said[i : i + _RUN_WORDS]) in runs:
            leaked[i : i + _RUN_WORDS] = True
    return float(leaked.mean()) if len(said) else 0.0


def clipping(pcm: np.ndarray) -> float:
    """Share of the 5 ms peaks that come within 3 dB of the highest.

    Relative to the clip's own peaks, and not a count of equal samples: a phone's codec rounds flattened tops and the level
    has changed since. Clean voices have 0.15-0.3 (benchmarks/bench_filters.py), clipped ones more: all they say is equally loud.
    """
    peaks = np.abs(pcm[: len(pcm) // _PEAK * _PEAK]).reshape(-1, _PEAK).max(axis=1)
    if not len(peaks):
        return 0.0
    top = float(np.quantile(peaks, 0.98))
    voiced = peaks[peaks > 0.25 * top]
    return float(np.mean(voiced > top * 10 ** (-3 / 20))) if len(voiced) else 0.0


def bandwidth_hz(pcm: np.ndarray) -> float:
    """Highest frequency whose mean power is within 50 dB of the strongest: 4 kHz on a telephone, 8 kHz on Android."""
    power = _power(pcm).mean(axis=1)
    reached = np.flatnonzero(power > power.max() * 1e-5)
    return float(reached[-1] * SAMPLE_RATE_HZ / _FRAME) if power.max() > _EPSILON and len(reached) else 0.0


def music(pcm: np.ndarray) -> float:
    """How much of the background (the quietest fifth of the frames) is tones: 0 for noise or silence, near 1 for music.

    Power in spectral lines above the local median of 300 Hz; 0 where the background is 35 dB or more under the speech.
    """
    power = _power(pcm)
    level = power.sum(axis=0)
    quiet = np.median(power[:, level <= np.quantile(level, 0.2)], axis=1)  # what stays: a voice's own partials move
    if quiet.sum() < 10**-3.5 * np.quantile(level, 0.9) or quiet.sum() < _EPSILON:
        return 0.0
    low, high = (round(hz * _FRAME / SAMPLE_RATE_HZ) for hz in (150, 5000))
    floor = median_filter(quiet, size=29)
    band = quiet[low:high]
    return float(np.clip(band - 3 * floor[low:high], 0, None).sum() / max(band.sum(), _EPSILON))


def envelope(pcm: np.ndarray) -> np.ndarray:
    """Log energy each 20 ms, centred, of unit length: two takes of one sentence differ, two copies do not. [T] -> [T / 441]"""
    frame = SAMPLE_RATE_HZ // 50
    whole = pcm[: len(pcm) // frame * frame].astype(np.float64).reshape(-1, frame)
    power = np.convolve((whole**2).mean(axis=1), np.ones(3) / 3, mode="same")  # smooth: a copy is cut at other samples
    log = np.log10(np.maximum(power, max(power.max(initial=0.0) * 1e-5, _EPSILON)))  # 50 dB down copies differ by the codec's noise
    log -= log.mean() if len(log) else 0.0
    length = float(np.linalg.norm(log))
    return (log / length if length > 0 else log).astype(np.float32)


def duplicates(names: Sequence[str], texts: Sequence[str], envelopes: Sequence[np.ndarray]) -> dict[str, tuple[float, str]]:
    """For each clip the earlier clip (by name) that it most resembles, with the likeness in [0, 1].

    Likeness is that of the words times that of the sound's envelope: the same sentence said twice is no copy. Only clips
    whose lengths differ by less than 0.3 s are compared, O(n * k).
    """
    order = sorted(range(len(names)), key=lambda i: (len(envelopes[i]), names[i]))
    lengths = np.array([len(envelopes[i]) for i in order])
    found: dict[str, tuple[float, str]] = {}
    for at, i in enumerate(order):
        for j in order[int(np.searchsorted(lengths, lengths[at] - 15)) : at]:
            words = _same_words(texts[i], texts[j])
            if words < 0.5:
                continue
            likeness = words * max(0.0, correlation(envelopes[i], envelopes[j]))
            first, second = sorted((names[i], names[j]))
            if likeness > found.get(second, (0.0, ""))[0]:
                found[second] = (likeness, first)
    return found


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest correlation of two envelopes over shifts of up to 160 ms. In [-1, 1]"""
    full = np.correlate(a, b, mode="full")
    middle = len(b) - 1
    return float(full[max(0, middle - _MAX_LAG) : middle + _MAX_LAG + 1].max()) if len(full) else 0.0


def speaker_deviation(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How like the main speaker each clip is, and how far out that lies.

    The centre is found without the outliers: start from the medoid direction, keep what lies within 3 deviations of the
    median, average, repeat. Deviations are 1.4826 x the median absolute deviation of the kept, at least 0.02: the clips of
    one speaker never agree better than that, and a dozen alike would make any other an outlier.

    Args:
        embeddings: unit vectors. [N, D]

    Returns:
        cosine to the centre [N], deviations below the median [N] (negative above it).
    """
    if not len(embeddings):
        return np.zeros(0), np.zeros(0)
    pairwise = embeddings @ embeddings.T
    centre = embeddings[int(np.median(pairwise, axis=1).argmax())]
    for _ in range(5):
        likeness = embeddings @ centre
        middle, spread = _median_and_spread(likeness)
        mean = embeddings[likeness >= middle - 3 * spread].mean(axis=0)
        centre = mean / max(float(np.linalg.norm(mean)), _EPSILON)
    likeness = embeddings @ centre
    middle, spread = _median_and_spread(likeness)
    return likeness, (middle - likeness) / spread


def _median_and_spread(values: np.ndarray) -> tuple[float, float]:
    middle = float(np.median(values))
    return middle, max(1.4826 * float(np.median(np.abs(values - middle))), 0.02)


def _same_words(a: str, b: str) -> float:
    """Share of the words that two texts have in common (Jaccard). Two empty texts are the same."""
    left, right = set(fold(a).split()), set(fold(b).split())
    return len(left & right) / len(left | right) if left | right else 1.0


def _power(pcm: np.ndarray) -> np.ndarray:
    """Power spectrogram. [T] -> [1025, frames]"""
    padded = pcm if len(pcm) >= _FRAME else np.pad(pcm, (0, _FRAME - len(pcm)))
    _, _, spectrum = stft(padded, nperseg=_FRAME, noverlap=_FRAME * 3 // 4, boundary=None, padded=False)
    return np.abs(spectrum) ** 2
