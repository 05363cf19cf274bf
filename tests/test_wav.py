"""voz/audio/wav.py: reading and writing keep every sample."""

from pathlib import Path

import numpy as np

from voz.audio import wav


def test_reading_and_writing_again_gives_the_same_samples(tmp_path: Path) -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    wav.write(tmp_path / "one.wav", every)
    wav.write(tmp_path / "two.wav", wav.read(tmp_path / "one.wav"))
    assert (tmp_path / "one.wav").read_bytes() == (tmp_path / "two.wav").read_bytes()
    assert np.array_equal(wav.to_int16(wav.read(tmp_path / "two.wav")), every)


def test_samples_outside_full_scale_are_clipped() -> None:
    assert wav.to_int16(np.array([1.0, 2.0, -1.0, -2.0, 0.0], np.float32)).tolist() == [32767, 32767, -32768, -32768, 0]
