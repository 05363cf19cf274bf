"""voz/audio/encode.py: the ending of a name decides the format, and the same samples give the same bytes."""

import resource
from pathlib import Path

import numpy as np
import pytest
import scipy.io.wavfile

from tests import clips
from voz.audio import encode, recording, wav
from voz.pipeline.command import UserError

FORMATS = {".wav": b"RIFF", ".flac": b"fLaC", ".mp3": b"\xff", ".opus": b"OggS", ".ogg": b"OggS"}


def test_a_wav_holds_the_samples(tmp_path: Path) -> None:
    encode.write(tmp_path / "new" / "spoken.wav", np.array([0.0, 0.5, -1.0, 2.0], np.float32))
    rate_hz, pcm = scipy.io.wavfile.read(tmp_path / "new" / "spoken.wav")
    assert rate_hz == 24_000 and pcm.dtype == np.int16 and pcm.tolist() == [0, 16_384, -32_768, 32_767]


@pytest.mark.parametrize("ending", FORMATS)
def test_the_ending_is_the_format_and_the_sound_comes_back(tmp_path: Path, ending: str) -> None:
    pcm = wav.resample(clips.pcm("mine-0"), wav.SAMPLE_RATE_HZ, 24_000)
    paths = [tmp_path / f"{name}{ending.upper()}" for name in ("one", "two")]
    for path in paths:
        encode.write(path, pcm)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].read_bytes().startswith(FORMATS[ending])
    with recording.opened(paths[0]) as (back, rate_hz):
        again = wav.resample(np.array(back), rate_hz, 24_000)
    assert len(again) == pytest.approx(len(pcm), abs=0.1 * 24_000)
    shift = int(np.argmax(np.correlate(again[:48_000], pcm[2_400:40_800], "valid"))) - 2_400
    pair = (pcm[4_800:48_000], again[4_800 + shift : 48_000 + shift])
    assert np.corrcoef(*pair)[0, 1] > 0.98


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_that_finds_no_space_is_one_error_and_no_traceback(tmp_path: Path, ending: str, capfd: pytest.CaptureFixture[str]) -> None:
    pcm = np.random.default_rng(1).uniform(-1.0, 1.0, 3 * 24_000).astype(np.float32)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))  # as a full disk does, it lets a write fail halfway
    try:
        with pytest.raises(OSError, match="File too large"):
            encode.write(tmp_path / f"x{ending}", pcm)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert capfd.readouterr().err == "" and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["x.m4a", "x", "x.wav.zip"])
def test_other_endings_are_refused_with_those_that_there_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"ending .*\.wav, \.flac, \.mp3, \.opus, \.ogg"):
        encode.write(tmp_path / name, np.zeros(100, np.float32))
    assert not list(tmp_path.iterdir())
