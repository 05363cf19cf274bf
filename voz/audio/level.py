"""Levels in dB below full scale, computed from mean squares."""

from collections.abc import Sequence

import numpy as np

FRAME_S = 0.05  # the level of speech is measured on frames of this length
FLOOR_DB = -100.0  # digital silence is reported as this
ACTIVE_DB = 15.0  # frames quieter than the loud ones by more than this are pauses
MOST_QUIETER_DB = 12.0  # by which `same_loudness` lowers a recording: a nearly silent one must not silence the others


def decibel(energy: float) -> float:
    """A mean square in dB below full scale, at least FLOOR_DB."""
    return max(FLOOR_DB, 10.0 * float(np.log10(energy))) if energy > 0 else FLOOR_DB


def frames_db(energy: np.ndarray) -> np.ndarray:
    """RMS in dB of the 20 ms (three hops) around each hop, from the mean square of each hop (`vad.HOP`). [N] -> [N]"""
    if not len(energy):
        return np.zeros(0)
    mean = np.convolve(np.pad(energy, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    return 10.0 * np.log10(np.maximum(mean, 10.0 ** (FLOOR_DB / 10.0)))


def quiet_db(energy: np.ndarray) -> float:
    """The noise floor: RMS in dB of the quietest tenth of the 20 ms frames, from the mean square of each hop. [N]"""
    frames = np.sort(frames_db(energy))[: max(1, len(energy) // 10)]
    return decibel(float((10.0 ** (frames / 10.0)).mean())) if len(frames) else FLOOR_DB


def active_db(energy: np.ndarray) -> float:
    """RMS in dB without the pauses: of the frames within ACTIVE_DB of the loud ones (95th percentile).

    Args:
        energy: mean square of each frame; frames of 50 ms are usual. [N], N > 0
    """
    loud = np.percentile(energy, 95)
    return decibel(float(energy[energy >= loud * 10.0 ** (-ACTIVE_DB / 10.0)].mean()))


def speech_db(pcm: np.ndarray, rate_hz: int) -> float:
    """RMS in dB of speech without its pauses, see `active_db`. float32 [T]"""
    frame = round(FRAME_S * rate_hz)
    whole = max(len(pcm) // frame, 1) * frame
    padded = np.pad(pcm[:whole].astype(np.float64), (0, max(whole - len(pcm), 0)))
    return active_db((padded.reshape(-1, frame) ** 2).mean(axis=1))


def same_loudness(pcms: Sequence[np.ndarray], rates_hz: Sequence[int]) -> list[np.ndarray]:
    """Recordings as loud as the quietest of them, so that a listener who compares them does not choose the louder one. [T] each"""
    levels_db = [speech_db(pcm, rate_hz) for pcm, rate_hz in zip(pcms, rates_hz, strict=True)]
    gains_db = [max(min(levels_db) - level_db, -MOST_QUIETER_DB) for level_db in levels_db]
    return [(pcm * 10.0 ** (gain_db / 20.0)).astype(np.float32) for pcm, gain_db in zip(pcms, gains_db, strict=True)]
