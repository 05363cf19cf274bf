"""Levels in dB below full scale, from mean squares on the grid of hops (voz/audio/vad.py)."""

import numpy as np

FLOOR_DB = -100.0  # digital silence is reported as this


def frames_db(energy: np.ndarray) -> np.ndarray:
    """RMS of the 20 ms (three hops) around each hop, dB below full scale. [N] -> [N]"""
    if not len(energy):
        return np.zeros(0)
    mean = np.convolve(np.pad(energy, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    return 10.0 * np.log10(np.maximum(mean, 10.0 ** (FLOOR_DB / 10.0)))


def quiet_db(energy: np.ndarray) -> float:
    """RMS of the quietest tenth of the 20 ms frames: the noise floor."""
    frames = np.sort(frames_db(energy))[: max(1, len(energy) // 10)]
    return decibel(float((10.0 ** (frames / 10.0)).mean())) if len(frames) else FLOOR_DB


def decibel(energy: float) -> float:
    """Mean square in dB below full scale, not under FLOOR_DB."""
    return max(FLOOR_DB, 10.0 * float(np.log10(energy))) if energy > 0 else FLOOR_DB
