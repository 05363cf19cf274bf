"""Reverberation and background noise for speech at 16 kHz."""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft, rfftfreq
from scipy.signal import fftconvolve

from pocket.corpus.opus import SAMPLE_RATE_HZ


def in_room(pcm: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Convolve with a direct path and a tail of decaying noise, 0.1-0.45 s of reverberation time, 4-15 dB below it."""
    rt60_s = rng.uniform(0.1, 0.45)
    t_s = np.arange(int(rt60_s * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(len(t_s)) * 10 ** (-3 * t_s / rt60_s)
    tail *= 10 ** (-rng.uniform(4, 15) / 20) / np.linalg.norm(tail)
    tail[: int(0.002 * SAMPLE_RATE_HZ)] = 0.0
    tail[0] = 1.0
    return _within(fftconvolve(pcm, tail)[: len(pcm)])


def with_noise(pcm: np.ndarray, rng: np.random.Generator, *, snr_db: float) -> np.ndarray:
    """Add noise between white and brown, slowly swelling, at `snr_db` below the clip's power."""
    size = next_fast_len(len(pcm), real=True)
    spectrum = rfft(rng.standard_normal(size, dtype=np.float32))
    spectrum *= np.maximum(rfftfreq(size, 1 / SAMPLE_RATE_HZ), 40.0) ** -rng.uniform(0, 1)
    noise = irfft(spectrum, size)[: len(pcm)] * (
        1 + 0.5 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * np.arange(len(pcm)) / SAMPLE_RATE_HZ)
    )
    return _within(pcm + noise * np.sqrt(np.mean(pcm**2) / np.mean(noise**2)) * 10 ** (-snr_db / 20))


def _within(pcm: np.ndarray) -> np.ndarray:
    return (pcm / max(1.0, np.abs(pcm).max())).astype(np.float32)
