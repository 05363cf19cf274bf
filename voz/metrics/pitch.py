"""The fundamental frequency of speech, by swift-f0: a small network whose weights lie in its wheel (MIT, no training on our data).

Beside YIN (pocket/xtts/yin.py) it finds nine of ten voiced frames instead of six, also through Opus and noise: benchmarks/README.md.
"""

import functools

import numpy as np
import swift_f0

from voz.audio import wav

MIN_HZ, MAX_HZ = 60.0, 500.0  # from a low man's voice to a child's
HOP_S = swift_f0.FRAME_PERIOD  # from frame to frame; the first is at 0
VOICED = 0.5  # swift-f0's confidence from which on a frame is voiced, as its authors calibrated it


def track(pcm: np.ndarray) -> np.ndarray:
    """Hz of each HOP_S (16 ms), NaN where it is unvoiced or silent. float32 in [-1, 1] at 22 050 Hz, [T] -> [N]"""
    if not np.any(pcm):
        return np.full(1, np.nan)
    found = _detector().detect(wav.resample(pcm, wav.SAMPLE_RATE_HZ, swift_f0.SAMPLE_RATE), swift_f0.SAMPLE_RATE, MIN_HZ, MAX_HZ)
    return np.where(found.confidence >= VOICED, found.pitch_hz, np.nan)


@functools.cache
def _detector() -> swift_f0.SwiftF0:
    """One thread, so that the sums are added in one order on every machine."""
    return swift_f0.SwiftF0(threads=1)
