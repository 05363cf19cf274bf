"""Measure the level of a decoded note, and write it as the pipeline's wav: high-pass, gain, 22 050 Hz, PCM16.

SoX does the processing through pysox, with one call per note, from file to file, so memory does not grow with the note.
(`Transformer.build_array` would hold the whole note, and ignores `rate()` unless the output format states the rate too.)
"""

import errno
import math
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sox

from voz.audio.level import FRAME_S, active_db, decibel
from voz.audio.wav import SAMPLE_RATE_HZ

MAX_PEAK_DB = -1.0  # leaves room for the overshoot of the resampling filter
OFFSET = 1e-4  # a DC offset below this (-80 dB) is inaudible and stays
_Q = 0.707  # of SoX's two-pole `highpass`
_BLOCK_FRAMES = 200  # filtered at a time: 10 s


@dataclass(frozen=True)
class Level:
    """Level of a note after the high-pass, in dB below full scale: RMS without the pauses (`level.active_db`), and the peak."""

    active_db: float
    peak_db: float

    def gain_db(self, target_db: float) -> float:
        """The gain that brings the RMS to `target_db`, or less where the peak would exceed MAX_PEAK_DB."""
        return min(target_db - self.active_db, MAX_PEAK_DB - self.peak_db)


def measure_level(raw: Path, *, rate_hz: int, scale: float, offset: float, highpass_hz: float) -> Level:
    """Measure a decoded note, block by block, as it will be after the high-pass.

    Args:
        raw: mono float32 samples without a header, not empty; each is stored times `scale`.
        offset: mean of the samples, which is subtracted before the high-pass.
    """
    import scipy.signal  # not at the top: it takes 0.8 s to import, and a run that converts nothing does not need it

    section = _highpass(highpass_hz, rate_hz)
    state = np.zeros((1, 2))
    frame = round(FRAME_S * rate_hz)
    energies, peak = [], 0.0
    with open(raw, "rb") as file:
        while len(block := np.frombuffer(file.read(4 * frame * _BLOCK_FRAMES), dtype="<f4")):
            pcm, state = scipy.signal.sosfilt(section, block.astype(np.float64) / scale - offset, zi=state)
            peak = max(peak, float(np.abs(pcm).max()))
            whole = len(pcm) // frame * frame
            energies.append((pcm[:whole].reshape(-1, frame) ** 2).mean(axis=1))
            if whole < len(pcm):  # the last frame of the note is shorter
                energies.append((pcm[whole:] ** 2).mean(keepdims=True))
    return Level(active_db(np.concatenate(energies)), decibel(peak**2))


def write_wav(raw: Path, wav: Path, *, rate_hz: int, scale: float, offset: float, highpass_hz: float, gain_db: float) -> None:
    """Write a decoded note (see `measure_level`) as a wav: subtract the offset, high-pass, gain, SoX's `rate -v`, PCM16.

    The offset is subtracted first: the high-pass would turn its onset into a thump.

    Raises:
        sox.core.SoxError: with SoX's own message.
        OSError: the disk is full.
    """
    transform = sox.Transformer()
    transform.set_globals(dither=False, verbosity=1)  # dither is noise: the same input must give the same bytes
    transform.set_input_format(file_type="raw", rate=rate_hz, bits=32, channels=1, encoding="floating-point")
    if abs(offset * scale) > OFFSET:
        transform.dcshift(-offset * scale)
    transform.highpass(highpass_hz)
    transform.gain(gain_db - 20.0 * math.log10(scale), normalize=False)
    transform.rate(SAMPLE_RATE_HZ, quality="v")
    transform.set_output_format(file_type="wav", rate=SAMPLE_RATE_HZ, bits=16, channels=1, encoding="signed-integer")
    try:
        transform.build(str(raw), str(wav))
    except sox.core.SoxError as error:
        if shutil.disk_usage(wav.parent).free < 1 << 20:  # SoX says only "error writing"
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(wav.parent)) from error
        raise


def _highpass(cutoff_hz: float, rate_hz: int) -> np.ndarray:
    """SoX's two-pole `highpass` as a second-order section: R. Bristow-Johnson's Audio EQ Cookbook, HPF. [1, 6]"""
    angle = 2.0 * math.pi * cutoff_hz / rate_hz
    cosine, alpha = math.cos(angle), math.sin(angle) / (2.0 * _Q)
    b, a = np.array([(1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2]), np.array([1 + alpha, -2 * cosine, 1 - alpha])
    return np.concatenate([b, a])[None] / (1 + alpha)
