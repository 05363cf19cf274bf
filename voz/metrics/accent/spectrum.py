"""Power by frequency band, every 5 ms."""

import math

import numpy as np
import scipy.signal

from voz.audio.wav import SAMPLE_RATE_HZ

FRAME_S, HOP = 0.020, 110  # HOP in samples: 5 ms
SILENCE_DB = 40.0  # a frame this far below the loudest one is silent
AUDIBLE_HZ = (80.0, 6_000.0)  # the band that decides it


class Spectrum:
    """The spectrum of a recording.

    audible: which frames are not silent. bool [N]
    """

    def __init__(self, pcm: np.ndarray) -> None:
        """float32 at 22 050 Hz. [T]"""
        size = int(FRAME_S * SAMPLE_RATE_HZ)
        self._frequency_hz, _, spectrum = scipy.signal.stft(pcm, SAMPLE_RATE_HZ, nperseg=size, noverlap=size - HOP, padded=True)
        self._power = np.abs(spectrum) ** 2 + 1e-12
        level_db = self.band_db(AUDIBLE_HZ)
        self.audible = level_db > level_db.max() - SILENCE_DB

    def band_db(self, band_hz: tuple[float, float]) -> np.ndarray:
        """Power of a band in dB. [N]"""
        inside = (self._frequency_hz >= band_hz[0]) & (self._frequency_hz < band_hz[1])
        return np.asarray(10.0 * np.log10(self._power[inside].sum(axis=0)))

    def ratio_db(self, upper_hz: tuple[float, float], lower_hz: tuple[float, float]) -> np.ndarray:
        """Power of one band over that of another, in dB. [N]"""
        return self.band_db(upper_hz) - self.band_db(lower_hz)

    def frames(self, start_s: float, end_s: float) -> slice:
        """The frames from one time to another, at least one where the recording has any."""
        first = min(max(0, round(start_s * SAMPLE_RATE_HZ / HOP)), len(self.audible) - 1)
        return slice(first, max(first, math.floor(end_s * SAMPLE_RATE_HZ / HOP)) + 1)
