"""voz/audio/watermark.py: the mark is found where it is, changes nothing else, and cannot be missing unseen."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from tests import clips
from voz.audio import encode, watermark, wav
from voz.pipeline.command import UserError

RATE_HZ = 24_000


@pytest.fixture(scope="module")
def mark() -> watermark.Watermark:
    return watermark.Watermark()


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Some seconds at 24 kHz."""
    return wav.resample(clips.pcm("mine-0"), wav.SAMPLE_RATE_HZ, RATE_HZ)


def test_marked_speech_is_told_from_the_same_speech(mark: watermark.Watermark, speech: np.ndarray) -> None:
    (plain,) = mark.blocks(speech[: 5 * RATE_HZ], RATE_HZ)
    (marked,) = mark.blocks(mark.mark(speech[: 5 * RATE_HZ], RATE_HZ), RATE_HZ)
    assert plain.confidence < 0.3 and not plain.marked
    assert marked.confidence > 0.95 and marked.marked


@pytest.mark.parametrize("length", [0, 1, 79, 2_400, 24_000, 24_001, 50_017, 77_777])
def test_length_is_kept_to_the_sample(mark: watermark.Watermark, speech: np.ndarray, length: int) -> None:
    """Perth's own output is 79 or so samples shorter at some lengths."""
    marked = mark.mark(speech[:length], RATE_HZ)
    assert marked.shape == (length,) and marked.dtype == np.float32


def test_only_what_lies_below_2_khz_is_changed(mark: watermark.Watermark, speech: np.ndarray) -> None:
    added = np.abs(np.fft.rfft((mark.mark(speech, RATE_HZ) - speech) * np.hanning(len(speech)))) ** 2
    hz = np.fft.rfftfreq(len(speech), 1 / RATE_HZ)
    assert added[hz > 2_200].sum() < 1e-4 * added.sum()
    assert 10 < 10 * np.log10(np.sum(speech**2) / np.sum((mark.mark(speech, RATE_HZ) - speech) ** 2)) < 25


def test_full_scale_stays_within_full_scale_and_level_stays(mark: watermark.Watermark, speech: np.ndarray) -> None:
    loud = speech / np.abs(speech).max()
    marked = mark.mark(loud, RATE_HZ)
    assert np.abs(marked).max() <= 1.0
    assert 10 * np.log10(np.sum(marked**2) / np.sum(loud**2)) == pytest.approx(0.0, abs=0.5)


def test_silence_stays_silence_and_carries_no_mark(mark: watermark.Watermark) -> None:
    marked = mark.mark(np.zeros(RATE_HZ, np.float32), RATE_HZ)
    assert not marked.any()
    assert mark.confidence(marked, RATE_HZ) == 0.0


def test_same_samples_same_bytes(speech: np.ndarray) -> None:
    once, again = (watermark.Watermark().mark(speech, RATE_HZ) for _ in range(2))
    assert once.tobytes() == again.tobytes()


def test_a_long_line_is_marked_in_blocks_without_seams(
    mark: watermark.Watermark, speech: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = mark.mark(speech, RATE_HZ)
    monkeypatch.setattr(watermark, "MARK_BLOCK_S", 1.0)
    assert len(speech) > 3 * RATE_HZ
    assert np.abs(mark.mark(speech, RATE_HZ) - whole).max() < 1e-4


def test_a_marked_stretch_of_a_long_recording_is_found(mark: watermark.Watermark, speech: np.ndarray) -> None:
    five = speech[: 5 * RATE_HZ]
    blocks = list(mark.blocks(np.concatenate([five, mark.mark(five, RATE_HZ), five, five[: 2 * RATE_HZ]]), RATE_HZ))
    assert [block.marked for block in blocks] == [False, True, False]
    assert [(block.start_s, block.end_s) for block in blocks] == [(0.0, 5.0), (5.0, 10.0), (10.0, 17.0)]


def test_the_mark_survives_opus_at_24_khz_and_mp3(mark: watermark.Watermark, speech: np.ndarray, tmp_path: Path) -> None:
    marked = mark.mark(speech, RATE_HZ)
    for name in ("x.opus", "x.mp3"):
        encode.write(tmp_path / name, marked)
        pcm, rate_hz = soundfile.read(tmp_path / name, dtype="float32")
        assert all(block.marked for block in mark.blocks(pcm, rate_hz))


def test_none_marks_nothing() -> None:
    assert watermark.marker("none", torch.device("cpu")) is None


def test_weights_that_are_not_perths_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watermark, "_WEIGHTS_SHA256", "0" * 64)
    watermark._load_net.cache_clear()
    try:
        with pytest.raises(UserError, match=r"watermark cannot be loaded \(perth_net_250000.pth.tar is damaged.*watermark: none") as error:
            watermark.marker("perth", torch.device("cpu"))
        assert "\n" not in str(error.value)
    finally:
        watermark._load_net.cache_clear()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the device is there")
def test_a_device_that_is_not_there_is_one_line() -> None:
    with pytest.raises(UserError, match="the watermark cannot be loaded") as error:
        watermark.marker("perth", torch.device("cuda"))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("piece_s", [0.05, 0.74, 3.0])
def test_marked_while_it_is_made_is_marked_the_same(mark: watermark.Watermark, speech: np.ndarray, piece_s: float) -> None:
    size = round(piece_s * RATE_HZ)
    pieces = list(mark.mark_stream((speech[at : at + size] for at in range(0, len(speech), size)), RATE_HZ))
    streamed = np.concatenate(pieces)
    assert len(pieces) > 4 and streamed.dtype == np.float32
    assert np.abs(streamed - mark.mark(speech, RATE_HZ)).max() < 1e-4
    assert mark.highest(streamed, RATE_HZ) > 0.95
