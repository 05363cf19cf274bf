"""voz/audio/leveling.py: the level is measured behind the same high-pass that SoX applies."""

from pathlib import Path

import numpy as np
import pytest
import sox

from tests import recordings
from voz.audio import leveling, wav

STORED = {"rate_hz": recordings.RATE_HZ, "scale": 0.25, "offset": 0.0}


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The recording as `decode` stores it."""
    path = tmp_path / "raw"
    (recordings.pcm() * np.float32(0.25)).tofile(path)
    return path


@pytest.mark.parametrize("highpass_hz", [10.0, 60.0, 300.0])
def test_the_level_is_that_of_sox_s_own_output(raw: Path, highpass_hz: float) -> None:
    transform = sox.Transformer()
    transform.set_globals(dither=False)
    transform.set_input_format(file_type="raw", rate=recordings.RATE_HZ, bits=32, channels=1, encoding="floating-point")
    transform.set_output_format(file_type="raw", rate=recordings.RATE_HZ, bits=32, channels=1, encoding="floating-point")
    transform.highpass(highpass_hz).build(str(raw), str(raw.with_name("filtered")))
    filtered = 4.0 * np.fromfile(raw.with_name("filtered"), dtype="<f4").astype(np.float64)
    frame = recordings.RATE_HZ // 20  # 50 ms
    energy = np.array([(filtered[at : at + frame] ** 2).mean() for at in range(0, len(filtered), frame)])
    active = energy[energy >= np.percentile(energy, 95) / 10**1.5]  # within 15 dB
    level = leveling.measure_level(raw, **STORED, highpass_hz=highpass_hz)
    assert level.active_db == pytest.approx(10 * np.log10(active.mean()), abs=1e-4)
    assert level.peak_db == pytest.approx(20 * np.log10(np.abs(filtered).max()), abs=1e-4)


def test_the_wav_has_the_target_level_or_the_greatest_that_its_peak_allows(raw: Path, tmp_path: Path) -> None:
    level = leveling.measure_level(raw, **STORED, highpass_hz=60.0)
    assert level.gain_db(-30.0) == pytest.approx(-30.0 - level.active_db)
    assert level.gain_db(0.0) == pytest.approx(-1.0 - level.peak_db)
    leveling.write_wav(raw, tmp_path / "loud.wav", **STORED, highpass_hz=60.0, gain_db=level.gain_db(0.0))
    peak_db = 20 * np.log10(np.abs(wav.read(tmp_path / "loud.wav")).max())
    assert -2.0 < peak_db < 0.0


def test_digital_silence_has_the_lowest_level(tmp_path: Path) -> None:
    np.zeros(recordings.RATE_HZ, "<f4").tofile(tmp_path / "raw")
    assert leveling.measure_level(tmp_path / "raw", **STORED, highpass_hz=60.0) == leveling.Level(-100.0, -100.0)
