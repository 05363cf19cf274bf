"""pocket/xtts/yin.py, on tones and noise whose pitch is known."""

import numpy as np
import pytest

from pocket.xtts import yin
from tests.test_measures import tone
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics.measures import HOP


@pytest.mark.parametrize("hz", [70.0, 120.0, 220.0, 440.0])
def test_pitch_of_a_tone(hz: float) -> None:
    assert np.nanmedian(yin.pitch_hz(tone(hz))) == pytest.approx(hz, rel=0.005)


def test_noise_has_no_pitch() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    assert np.isfinite(yin.pitch_hz(noise)).mean() < 0.02
    mixed = np.concatenate([tone(150.0), 1e-4 * noise, tone(150.0)])
    voiced = np.isfinite(yin.pitch_hz(mixed))
    assert not voiced[int(1.1 * SAMPLE_RATE_HZ / HOP) : int(1.9 * SAMPLE_RATE_HZ / HOP)].any()  # 40 dB down


def test_no_pitch_outside_of_the_span() -> None:
    for hz in (90, 96, 100, 104, 180, 196, 200, 204, 210):
        harmonics = tuple(1 / k for k in range(1, 8))
        found = yin.pitch_hz(tone(float(hz), harmonics=harmonics), span_hz=(100, 200), aperiodicity=0.5)
        found = found[np.isfinite(found)]
        assert np.all((found > 99) & (found < 202)), hz
