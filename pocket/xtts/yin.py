"""The fundamental frequency of speech by YIN, which the pitch of the pocket models was made with.

It misses many voiced frames of real speech (benchmarks/README.md), so the figures of `evaluate` are by voz/metrics/pitch.py.
"""

import math

import numpy as np
import scipy.fft

from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import measures, pitch
from voz.metrics.measures import FRAME

SPAN_HZ = (pitch.MIN_HZ, pitch.MAX_HZ)
APERIODICITY = 0.15  # the threshold: the paper takes 0.1 for clean speech; higher finds more voiced frames


def pitch_hz(pcm: np.ndarray, *, span_hz: tuple[float, float] = SPAN_HZ, aperiodicity: float = APERIODICITY) -> np.ndarray:
    """Fundamental frequency of each frame, NaN where it is unvoiced or silent. [T] -> [N]

    YIN (de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music", 2002): the first minimum of
    the cumulative mean normalised difference below the threshold, refined by a parabola.

    Args:
        span_hz: lowest and highest frequency that is looked for.
        aperiodicity: the threshold.
    """
    shortest, longest = int(SAMPLE_RATE_HZ / span_hz[1]), math.ceil(SAMPLE_RATE_HZ / span_hz[0])
    frames = measures.frames(pcm, FRAME + longest + 1)
    normalised = _normalised_difference(frames, longest + 1)
    hz = np.full(len(frames), np.nan)
    for at in np.flatnonzero(measures.loud(frames)):
        row = normalised[at]
        before, inside, after = (row[shortest + step : longest + step] for step in (-1, 0, 1))
        minima = np.flatnonzero((inside < aperiodicity) & (inside <= before) & (inside <= after))
        if not len(minima):
            continue
        lag = shortest + int(minima[0])
        hz[at] = SAMPLE_RATE_HZ / (lag + _vertex(row[lag - 1], row[lag], row[lag + 1]))
    return hz


def _normalised_difference(frames: np.ndarray, lags: int) -> np.ndarray:
    """YIN's cumulative mean normalised difference for lags 0..lags. [N, FRAME + lags] -> [N, lags + 1]"""
    size = scipy.fft.next_fast_len(frames.shape[1] + FRAME)
    spectrum = np.fft.rfft(frames, size, axis=1) * np.conj(np.fft.rfft(frames[:, :FRAME], size, axis=1))
    correlation = np.fft.irfft(spectrum, size, axis=1)[:, : lags + 1]
    squares = np.cumsum(np.pad(np.square(frames), ((0, 0), (1, 0))), axis=1)
    energy = squares[:, FRAME : FRAME + lags + 1] - squares[:, : lags + 1]
    difference = np.maximum(energy[:, :1] + energy - 2.0 * correlation, 0.0)
    cumulative = np.cumsum(difference[:, 1:], axis=1)
    normalised = difference[:, 1:] * np.arange(1, lags + 1) / np.maximum(cumulative, 1e-12)
    return np.concatenate([np.ones((len(frames), 1)), normalised], axis=1)


def _vertex(left: float, middle: float, right: float) -> float:
    """Position of the vertex of the parabola through three points at -1, 0, 1; 0 if they lie on a line."""
    curve = left - 2.0 * middle + right
    return 0.5 * (left - right) / curve if curve > 0 else 0.0
