"""Bring a decoded note to what the pipeline hears: high-pass, level, 22 050 Hz, PCM16. SoX does the work, through pysox.

One SoX call per note, file to file: memory does not grow with the note. (`Transformer.build_array` would hold it whole,
and ignores `rate()` unless the output format says it again.)
"""

import errno
import math
import os
import shutil
from pathlib import Path

import numpy as np
import sox

from voz.audio.wav import SAMPLE_RATE_HZ

PEAK_DB = -1.0  # no sample above; leaves room for what the resampling filter adds
FRAME_S = 0.05  # frames of the level
ACTIVE_DB = 15.0  # frames within this of the loud ones are voice; the others, pauses and their noise, must not count
OFFSET = 1e-4  # smaller ones make no sound: -80 dB
_RINGS = 6.0  # periods of the high-pass's cut-off after which its answer is 230 dB down


class Level:
    """How loud a note is behind the high-pass: `active_db` RMS of what is not pause, `peak_db`; dB below full scale."""

    def __init__(self, active_db: float, peak_db: float) -> None:
        self.active_db, self.peak_db = active_db, peak_db

    def gain_db(self, wanted_db: float) -> float:
        """Gain that brings the level to `wanted_db`, or as near as the peaks allow."""
        return min(wanted_db - self.active_db, PEAK_DB - self.peak_db)


def measure(raw: Path, *, rate_hz: int, scale: float, offset: float, highpass_hz: float) -> Level:
    """Measure a file of mono float32 samples times `scale`, block by block, without their `offset`, behind SoX's own high-pass.

    Returns:
        Level, with -inf for digital silence.
    """
    answer = _highpass(highpass_hz, rate_hz)
    size = 1 << (8 * len(answer)).bit_length()
    spectrum, before = np.fft.rfft(answer, size), np.zeros(len(answer) - 1)
    frame = round(FRAME_S * rate_hz)
    energies, rest, peak = [], np.zeros(0), 0.0
    with open(raw, "rb") as file:
        while len(block := np.frombuffer(file.read(4 * (size - len(before))), dtype="<f4")):
            given = np.concatenate([before, block.astype(np.float64) / scale - offset])
            heard = np.fft.irfft(np.fft.rfft(given, size) * spectrum, size)[len(before) : len(given)]
            before = given[len(given) - len(before) :]
            peak = max(peak, float(np.abs(heard).max()))
            heard = np.concatenate([rest, heard])
            whole = len(heard) // frame * frame
            energies.append((heard[:whole].reshape(-1, frame) ** 2).mean(axis=1))
            rest = heard[whole:]
    if len(rest):
        energies.append(np.array([(rest**2).mean()]))
    return Level(active_db(np.concatenate(energies)), _db(peak**2))


def condition(raw: Path, wav: Path, *, rate_hz: int, scale: float, offset: float, highpass_hz: float, gain_db: float) -> None:
    """Bring a file of mono float32 samples times `scale` into `wav`: offset away, high-pass, gain, SoX's `rate -v`.

    The offset goes first: the high-pass would answer it with a thump.

    Raises:
        sox.core.SoxError: with SoX's own words.
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
    """Impulse response of SoX's two-pole `highpass`: the biquad of R. Bristow-Johnson's Audio EQ Cookbook with Q = 0.707. [N]

    Convolved by FFT: `scipy.signal` would do it in a line, and takes a second of every worker to import.
    """
    angle = 2.0 * math.pi * cutoff_hz / rate_hz
    cosine, alpha = math.cos(angle), math.sin(angle) / (2.0 * 0.707)
    length = math.ceil(_RINGS / cutoff_hz * rate_hz)
    size = 1 << (4 * length).bit_length()
    delay = np.exp(-2j * math.pi * np.arange(size // 2 + 1) / size)
    above = (1.0 + cosine) / 2.0 * (1.0 - delay) ** 2
    below = (1.0 + alpha) - 2.0 * cosine * delay + (1.0 - alpha) * delay**2
    return np.asarray(np.fft.irfft(above / below, size)[:length])


def active_db(energies: np.ndarray) -> float:
    """RMS, in dB below full scale, of the frames within ACTIVE_DB of the loud ones (95th percentile), so that pauses do not count.

    Args:
        energies: mean square of each frame of FRAME_S. [n]
    """
    loud = np.percentile(energies, 95)
    return _db(float(energies[energies >= loud * 10.0 ** (-ACTIVE_DB / 10.0)].mean()))


def _db(energy: float) -> float:
    return 10.0 * math.log10(energy) if energy > 0 else -math.inf
