"""Scores of a clip's sound and speaker: one number per doubt, from the samples; kept in the cache.

A score never decides: curate compares it with its threshold, and a person's correction overrules it.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import median_filter
from scipy.signal import stft

from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics.text_scores import same_words
from voz.model import device, xtts
from voz.pipeline import cache, files, params, records

STEP_VERSION = 1  # raise when the same samples measure otherwise; tests/test_curate.py holds a golden output
_FRAME = 2048  # 93 ms at 22 050 Hz, lines 11 Hz apart: the partials of a chord stand clear of each other
_PEAK = 110  # 5 ms at 22 050 Hz: a period of a low voice
_MAX_LAG = 8  # frames of 20 ms by which a copy may be shifted: another encoder's delay, another cut
_EPSILON = 1e-10


@dataclass(frozen=True)
class ClipAnalysis:
    """What the samples of a clip tell.

    envelope: log energy each 20 ms, mean 0, unit length. [T / 441]
    speaker_embedding: of the base's own encoder, unit length. [512]
    """

    clipping: float
    bandwidth_hz: float
    music: float
    envelope: np.ndarray
    speaker_embedding: np.ndarray


def analyse_clips(folder: Path, clips: list[records.Clip], base: Path, compute: params.Compute) -> list[ClipAnalysis]:
    """Analyse `<clip id>.wav` of `folder`, in the order of `clips`. The base is loaded only if a clip is new to the cache."""
    store = cache.Cache("curate", STEP_VERSION, params={}, model=files.hash_files(base, ["config.json", "model.pth"]))
    keys = {clip.id: store.key(clip.id, files.hash_file(folder / f"{clip.id}.wav")) for clip in clips}

    @functools.cache
    def model() -> xtts.Xtts:
        return xtts.load_model(base, device=device.pick(compute.device))

    def work(clip: records.Clip, entry: Path) -> None:
        pcm = wav.read(folder / f"{clip.id}.wav")
        _save(entry, analyse(pcm, xtts.speaker_embedding(model(), pcm)))

    return store.map(clips, key=lambda clip: keys[clip.id], work=work, load=_load, label="curate", unit="clip")


def analyse(pcm: np.ndarray, speaker_embedding: np.ndarray) -> ClipAnalysis:
    """Measure a clip. float32 [T] at 22 050 Hz, [512]"""
    return ClipAnalysis(clipping(pcm), bandwidth_hz(pcm), music(pcm), envelope(pcm), speaker_embedding)


def _save(entry: Path, analysis: ClipAnalysis) -> None:
    arrays = ("envelope", "speaker_embedding")
    for name in arrays:
        np.save(entry / f"{name}.npy", getattr(analysis, name))
    cache.save_json(entry, "scores.json", {name: value for name, value in vars(analysis).items() if name not in arrays})


def _load(entry: Path) -> ClipAnalysis:
    arrays = {name: np.load(entry / f"{name}.npy") for name in ("envelope", "speaker_embedding")}
    return ClipAnalysis(**cache.load_json(entry, "scores.json"), **arrays)


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
            words = same_words(texts[i], texts[j])
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


def _power(pcm: np.ndarray) -> np.ndarray:
    """Power spectrogram. [T] -> [1025, frames]"""
    padded = pcm if len(pcm) >= _FRAME else np.pad(pcm, (0, _FRAME - len(pcm)))
    _, _, spectrum = stft(padded, nperseg=_FRAME, noverlap=_FRAME * 3 // 4, boundary=None, padded=False)
    return np.abs(spectrum) ** 2
