"""Mix the decoded channels of a recording to mono, block by block, and keep statistics."""

import hashlib

import numpy as np
import soxr

from voz.audio.faults import Unusable

MAX_SAMPLES = 4 * 3600 * 48_000  # 4 h at 48 kHz: longer is not a voice note, or a file made to fill the disk
RATES_HZ = (4_000, 192_000)  # a recording of a voice has a sample rate between these
CANCELLED = 0.25  # channels are out of phase if their mean keeps less than this share of their energy


class Downmix:
    """Mixes blocks to mono at the sample rate of the first block.

    Args:
        channel: take this channel alone; None takes the mean of all.
        scale: the mono samples are returned times this.

    Attributes:
        rate_hz, samples: rate and length of the mono signal.
        peak: greatest absolute value of the mono samples (before `scale`, as everything here).
        channel_peak: greatest absolute value in any channel.
        non_finite: number of input frames with a NaN or an infinity; these values become 0.
    """

    def __init__(self, channel: int | None, scale: float) -> None:
        self.channel, self.scale = channel, scale
        self.rate_hz = self.samples = self.non_finite = 0
        self.peak = self.channel_peak = 0.0
        self._sum = self._energy = 0.0
        self._channel_energy = np.zeros(1)  # [C]
        self._sha256 = hashlib.sha256()
        self._resampler: tuple[int, soxr.ResampleStream] | None = None  # and its input rate, while a block has another rate

    @property
    def mean(self) -> float:
        """Mean of the mono samples: the DC offset."""
        return self._sum / self.samples

    @property
    def sha256(self) -> str:
        """Hash of the mono samples, rounded to 16 bits."""
        return self._sha256.hexdigest()

    @property
    def cancels(self) -> bool:
        """True if the channels are out of phase, so that their mean lost the sound."""
        channels = len(self._channel_energy)
        return self.channel is None and channels > 1 and self._energy < CANCELLED * float(self._channel_energy.sum()) / channels

    @property
    def loudest(self) -> int:
        """The channel with the most energy."""
        return int(np.argmax(self._channel_energy))

    def add(self, rate_hz: int, block: np.ndarray) -> np.ndarray:
        """Mix one block and return the samples to store. [T, C] -> float32 [T']

        Raises:
            Unusable: `unreadable` for a sample rate outside RATES_HZ, `too_long`.
        """
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise Unusable("unreadable", f"sample rate of {rate_hz} Hz, expected {RATES_HZ[0]} to {RATES_HZ[1]}")
        block = self._finite(block)
        energy = (block.astype(np.float64) ** 2).sum(axis=0)
        size = max(len(energy), len(self._channel_energy))  # the links of a chained file may differ in channels
        self._channel_energy = _padded(self._channel_energy, size) + _padded(energy, size)
        self.channel_peak = max(self.channel_peak, float(np.abs(block).max(initial=0.0)))
        alone = self.channel is not None and self.channel < block.shape[1]
        mono = block[:, self.channel].astype(np.float64) if alone else block.mean(axis=1, dtype=np.float64)
        self._energy += float((mono**2).sum())
        return self._stored(self._at_one_rate(rate_hz, mono.astype(np.float32)))

    def finish(self) -> np.ndarray:
        """The last samples to store, which the resampler still held. -> float32 [T']"""
        return self._stored(self._flush())

    def _finite(self, block: np.ndarray) -> np.ndarray:
        finite = np.isfinite(block)
        if finite.all():
            return block
        self.non_finite += int((~finite).any(axis=1).sum())
        return np.where(finite, block, np.float32(0))

    def _at_one_rate(self, rate_hz: int, mono: np.ndarray) -> np.ndarray:
        self.rate_hz = self.rate_hz or rate_hz
        before = self._flush() if self._resampler and self._resampler[0] != rate_hz else np.zeros(0, np.float32)
        if rate_hz != self.rate_hz:
            if self._resampler is None:
                self._resampler = (rate_hz, soxr.ResampleStream(rate_hz, self.rate_hz, 1, dtype="float32", quality="VHQ"))
            mono = self._resampler[1].resample_chunk(mono)
        return np.concatenate([before, mono])

    def _flush(self) -> np.ndarray:
        if self._resampler is None:
            return np.zeros(0, np.float32)
        rest = self._resampler[1].resample_chunk(np.zeros(0, np.float32), last=True)
        self._resampler = None
        return rest

    def _stored(self, mono: np.ndarray) -> np.ndarray:
        """Update the statistics and scale. [T] -> [T]"""
        self.samples += len(mono)
        if self.samples > MAX_SAMPLES:
            raise Unusable("too_long", f"more than {MAX_SAMPLES} samples ({MAX_SAMPLES / self.rate_hz / 3600:.1f} h)")
        self._sum += float(mono.sum(dtype=np.float64))
        self.peak = max(self.peak, float(np.abs(mono).max(initial=0.0)))
        self._sha256.update((np.clip(mono, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
        return (mono.astype(np.float64) * self.scale).astype("<f4")


def _padded(values: np.ndarray, size: int) -> np.ndarray:
    return np.pad(values, (0, size - len(values)))
