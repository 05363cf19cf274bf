"""Scores of a clip's sound and speaker, computed from the samples and kept in the cache.

Nothing is rejected here: curate compares the scores with the limits of voz/metrics/filters.py.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import stft

from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics.text_scores import same_words
from voz.model import device, xtts
from voz.pipeline import cache, cache_folders, files, params, records

STEP_VERSION = 3  # raise when the same samples get other scores; tests/test_curate.py holds a golden output
_FFT_SAMPLES = 2048  # 93 ms at 22 050 Hz; bins of 11 Hz separate the partials of a chord
_PEAK_SAMPLES = 441  # 20 ms at 22 050 Hz: at least one period of any voice
_PILE_DB = 1.0  # clipped peaks end up this near to the highest one, also behind a phone's codec
_ENVELOPE_SAMPLES = SAMPLE_RATE_HZ // 50  # 20 ms
_MAX_SHIFT = 8  # frames of the envelope (160 ms): a copy has another encoder's delay and other cuts
_MAX_LENGTH_DIFFERENCE = 15  # frames of the envelope (0.3 s) between two copies
_MIN_SPREAD = 0.02  # of the cosines of one speaker's clips; without it a dozen clips alike would make any other an outlier
_EPSILON = 1e-10


@dataclass(frozen=True)
class ClipAnalysis:
    """What is computed of the samples of a clip.

    clipping: share of the peaks near the highest one, see `clipping`.
    bandwidth_hz: highest frequency with power, see `bandwidth_hz`.
    music: share of steady tones in the background, see `music`.
    envelope: log energy every 20 ms, mean 0, norm 1. float32 [T / 441]
    speaker_embedding: by the base's speaker encoder, norm 1. float32 [512]
    """

    clipping: float
    bandwidth_hz: float
    music: float
    envelope: np.ndarray
    speaker_embedding: np.ndarray


def analyse_clips(folder: Path, clips: list[records.Clip], base: Path, compute: params.Compute) -> list[ClipAnalysis]:
    """Analyse `<clip id>.wav` of `folder`, in the order of `clips`. The base is loaded only if a clip is not in the cache."""
    store = cache.Cache("curate", STEP_VERSION, params={}, model=files.hash_files(base, ["config.json", "model.pth"]))
    keys = {clip.id: store.key(clip.id, files.hash_file(folder / f"{clip.id}.wav")) for clip in clips}

    @functools.cache
    def model() -> xtts.Xtts:
        return xtts.load_model(base, device=device.pick(compute.device))

    def work(clip: records.Clip, entry: Path) -> None:
        pcm = wav.read(folder / f"{clip.id}.wav")
        _save(entry, analyse_clip(pcm, xtts.speaker_embedding(model(), pcm)))

    return store.map(clips, key=lambda clip: keys[clip.id], work=work, load=_load, label="curate", unit="clip")


def analyse_clip(pcm: np.ndarray, speaker_embedding: np.ndarray) -> ClipAnalysis:
    """All scores of one clip. `pcm` is float32 [T] at 22 050 Hz, `speaker_embedding` [512]."""
    return ClipAnalysis(clipping(pcm), bandwidth_hz(pcm), music(pcm), envelope(pcm), speaker_embedding)


def _save(entry: Path, analysis: ClipAnalysis) -> None:
    arrays = ("envelope", "speaker_embedding")
    for name in arrays:
        cache_folders.save_array(entry, f"{name}.npy", getattr(analysis, name))
    cache_folders.save_json(entry, "scores.json", {name: value for name, value in vars(analysis).items() if name not in arrays})


def _load(entry: Path) -> ClipAnalysis:
    arrays = {name: np.load(entry / f"{name}.npy") for name in ("envelope", "speaker_embedding")}
    return ClipAnalysis(**cache_folders.load_json(entry, "scores.json"), **arrays)


def clipping(pcm: np.ndarray) -> float:
    """Share of the 20 ms peaks that are within 1 dB of the highest, in [0, 1]. float32 [T]

    Counting equal samples would find nothing: the phone's codec has rounded the flattened tops, and convert has changed the
    level. Clipped peaks pile up at one height all the same, while compression and limiting bring peaks nearer to each other but
    not to one height. Eight real speakers of five languages: 98 % of the clean clips are under 0.21, also compressed and limited
    ones, and nearly all that were amplified 6 dB past full scale are over it (benchmarks/README.md,
    `bench_sound_filters`). espeak-ng's voices, whose pulses ring when they are cut off, pile up less.
    """
    peaks = np.abs(pcm[: len(pcm) // _PEAK_SAMPLES * _PEAK_SAMPLES]).reshape(-1, _PEAK_SAMPLES).max(axis=1)
    if not len(peaks):
        return 0.0
    top = float(np.quantile(peaks, 0.98))
    voiced = peaks[peaks > 0.25 * top]
    return float(np.mean(voiced > top * 10 ** (-_PILE_DB / 20))) if len(voiced) else 0.0


def bandwidth_hz(pcm: np.ndarray) -> float:
    """Highest frequency whose mean power is within 50 dB of the strongest: 4 kHz on a telephone, 8 kHz on Android. float32 [T]"""
    power = _power(pcm).mean(axis=1)
    reached = np.flatnonzero(power > power.max() * 1e-5)
    return float(reached[-1] * SAMPLE_RATE_HZ / _FFT_SAMPLES) if power.max() > _EPSILON and len(reached) else 0.0


def music(pcm: np.ndarray) -> float:
    """Share of steady tones in the background: 0 for noise or silence, near 1 for music. float32 [T]

    The background is the quietest fifth of the frames. A tone is power of a spectral line above three times the median of
    the 300 Hz around it. 0 where the background is 35 dB or more below the speech.
    """
    power = _power(pcm)
    level = power.sum(axis=0)
    quiet = np.median(power[:, level <= np.quantile(level, 0.2)], axis=1)  # the median drops a voice's partials, which move
    if quiet.sum() < 10**-3.5 * np.quantile(level, 0.9) or quiet.sum() < _EPSILON:
        return 0.0
    low, high = (round(hz * _FFT_SAMPLES / SAMPLE_RATE_HZ) for hz in (150, 5000))
    floor = median_filter(quiet, size=29)
    band = quiet[low:high]
    return float(np.clip(band - 3 * floor[low:high], 0, None).sum() / max(band.sum(), _EPSILON))


def envelope(pcm: np.ndarray) -> np.ndarray:
    """Log energy every 20 ms, mean 0, norm 1: alike in two copies, not in two takes of one sentence. float32 [T] -> float32 [T / 441]"""
    frames = pcm[: len(pcm) // _ENVELOPE_SAMPLES * _ENVELOPE_SAMPLES].astype(np.float64).reshape(-1, _ENVELOPE_SAMPLES)
    power = np.convolve((frames**2).mean(axis=1), np.ones(3) / 3, mode="same")  # smoothed: a copy is cut at other samples
    floor = max(power.max(initial=0.0) * 1e-5, _EPSILON)  # 50 dB down, where copies differ by the codec's noise
    log = np.log10(np.maximum(power, floor))
    log -= log.mean() if len(log) else 0.0
    norm = float(np.linalg.norm(log))
    return (log / norm if norm > 0 else log).astype(np.float32)


class Duplicate(NamedTuple):
    """The earlier clip that a clip resembles most, and how much, in [0, 1]."""

    similarity: float
    clip: str


NO_DUPLICATE = Duplicate(0.0, "")


def nearest_duplicates(ids: Sequence[str], texts: Sequence[str], envelopes: Sequence[np.ndarray]) -> dict[str, Duplicate]:
    """For each clip the clip with a smaller id that it resembles most; clips that resemble none are left out.

    The similarity is that of the words times that of the envelopes, because one sentence said twice is not a copy. Only clips
    whose lengths differ by 0.3 s or less are compared: O(N * neighbours).

    Args:
        envelopes: see `envelope`. N arrays [F]
    """
    order = sorted(range(len(ids)), key=lambda i: (len(envelopes[i]), ids[i]))
    lengths = np.array([len(envelopes[i]) for i in order])
    found: dict[str, Duplicate] = {}
    for at, i in enumerate(order):
        for j in order[int(np.searchsorted(lengths, lengths[at] - _MAX_LENGTH_DIFFERENCE)) : at]:
            words = same_words(texts[i], texts[j])
            if words < 0.5:
                continue
            similarity = words * max(0.0, correlation(envelopes[i], envelopes[j]))
            first, second = sorted((ids[i], ids[j]))
            if similarity > found.get(second, NO_DUPLICATE).similarity:
                found[second] = Duplicate(similarity, first)
    return found


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Greatest correlation of two envelopes over shifts of up to 160 ms, in [-1, 1]. [F], [G]"""
    full = np.correlate(a, b, mode="full")  # [F + G - 1]
    unshifted = len(b) - 1
    return float(full[max(0, unshifted - _MAX_SHIFT) : unshifted + _MAX_SHIFT + 1].max()) if len(full) else 0.0


def speaker_deviation(embeddings: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How similar each clip is to the main speaker, and by how many deviations it is less similar than the median clip.

    The centre is computed without the outliers: start from the medoid, keep the clips within 3 deviations of the median,
    average them, repeat. A deviation is 1.4826 times the median absolute deviation, at least _MIN_SPREAD.

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
        similarity = embeddings @ centre
        middle, spread = _median_and_spread(similarity)
        mean = embeddings[similarity >= middle - 3 * spread].mean(axis=0)
        centre = mean / max(float(np.linalg.norm(mean)), _EPSILON)
    similarity = embeddings @ centre
    middle, spread = _median_and_spread(similarity)
    return similarity, (middle - similarity) / spread


def _median_and_spread(values: np.ndarray) -> tuple[float, float]:
    """Median, and median absolute deviation on the scale of a standard deviation (1.4826 for a normal distribution). [N]"""
    middle = float(np.median(values))
    return middle, max(1.4826 * float(np.median(np.abs(values - middle))), _MIN_SPREAD)


def _power(pcm: np.ndarray) -> np.ndarray:
    """Power spectrogram. [T] -> [1025, frames]"""
    padded = pcm if len(pcm) >= _FFT_SAMPLES else np.pad(pcm, (0, _FFT_SAMPLES - len(pcm)))
    _, _, spectrum = stft(padded, nperseg=_FFT_SAMPLES, noverlap=_FFT_SAMPLES * 3 // 4, boundary=None, padded=False)
    return np.abs(spectrum) ** 2
