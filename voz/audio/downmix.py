"""Mix blocks of decoded channels to mono and keep count: level of each channel, peak, samples that are no numbers."""

import hashlib

import numpy as np
import soxr

MAX_SAMPLES = 4 * 3600 * 48_000  # 4 h at 48 kHz: longer is no voice note, or a file made to fill the disk
RATES_HZ = (4_000, 192_000)  # outside lies no recording of a voice
CANCELS = 0.25  # share of the channels' energy left in their mean: below, they are out of phase


class Unusable(Exception):
    """A file that gives no sound: (reason code, sentence)."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail


class Mono:
    """Mixes blocks to mono at the first block's rate and keeps count."""

    def __init__(self, channel: int | None, scale: float) -> None:
        self.channel, self.scale = channel, scale
        self.rate_hz = self.samples = self.bad = 0
        self.peak = self.mixed = self.total = 0.0
        self.channels = np.zeros(1)  # energy of each channel
        self.faults: list[tuple[str, str]] = []
        self.digest = hashlib.sha256()
        self._other: tuple[int, soxr.ResampleStream] | None = None  # for a link of another rate

    @property
    def cancels(self) -> bool:
        """True if averaging the channels lost the sound: they are out of phase."""
        return self.channel is None and len(self.channels) > 1 and self.mixed < CANCELS * float(self.channels.sum()) / len(self.channels)

    def mix(self, rate_hz: int, block: np.ndarray) -> np.ndarray:
        """One block as mono. [T, C] -> [T']"""
        if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
            raise Unusable("unreadable", f"a sample rate of {rate_hz} Hz")
        finite = np.isfinite(block)
        if not finite.all():
            self.bad += int((~finite).any(axis=1).sum())
            block = np.where(finite, block, np.float32(0))
        energy = (block.astype(np.float64) ** 2).sum(axis=0)
        size = max(len(energy), len(self.channels))
        self.channels = np.pad(self.channels, (0, size - len(self.channels))) + np.pad(energy, (0, size - len(energy)))
        chosen = self.channel if self.channel is not None and self.channel < block.shape[1] else None
        mono = block.mean(axis=1, dtype=np.float64) if chosen is None else block[:, chosen].astype(np.float64)
        self.mixed += float((mono**2).sum())
        return self._at_one_rate(rate_hz, mono.astype(np.float32))

    def _at_one_rate(self, rate_hz: int, mono: np.ndarray) -> np.ndarray:
        self.rate_hz = self.rate_hz or rate_hz
        before = self.flush() if self._other and self._other[0] != rate_hz else np.zeros(0, np.float32)
        if rate_hz != self.rate_hz:
            if self._other is None:
                self._other = (rate_hz, soxr.ResampleStream(rate_hz, self.rate_hz, 1, dtype="float32", quality="VHQ"))
            mono = self._other[1].resample_chunk(mono)
        return np.concatenate([before, mono])

    def flush(self) -> np.ndarray:
        """What the resampler still holds."""
        if self._other is None:
            return np.zeros(0, np.float32)
        rest = self._other[1].resample_chunk(np.zeros(0, np.float32), last=True)
        self._other = None
        return rest

    def count(self, mono: np.ndarray) -> np.ndarray:
        """Take note of a mono block and return it as it goes to disk."""
        self.samples += len(mono)
        if self.samples > MAX_SAMPLES:
            raise Unusable("too_long", f"more than {MAX_SAMPLES} samples ({MAX_SAMPLES / self.rate_hz / 3600:.1f} h)")
        self.total += float(mono.sum(dtype=np.float64))
        self.peak = max(self.peak, float(np.abs(mono).max(initial=0.0)))
        self.digest.update((np.clip(mono, -1.0, 1.0) * 32767.0).round().astype("<i2").tobytes())
        return (mono.astype(np.float64) * self.scale).astype("<f4")
