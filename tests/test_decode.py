"""Whatever a phone writes gives the same sound; what is broken says so; nothing opens another file."""

import ctypes
import faulthandler
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import recordings
from voz.audio import decode
from voz.audio.downmix import Unusable
from voz.pipeline import sandbox


def decoded(data: bytes, folder: Path) -> tuple[decode.Sound, np.ndarray]:
    path, raw = folder / "named.ogg", folder / "raw"  # the name is wrong for nearly all of them
    path.write_bytes(data)
    sound = decode.decode(path, raw)
    return sound, np.fromfile(raw, dtype="<f4") / np.float32(sound.scale)


@pytest.mark.parametrize(
    ("make", "form"),
    [
        (recordings.note, "ogg-opus"),
        (lambda: recordings.wav(recordings.pcm()), "wav"),
        (lambda: recordings.sound_file(recordings.pcm(), "FLAC", "PCM_16"), "flac"),
        (lambda: recordings.sound_file(recordings.pcm(), "AIFF", "PCM_16"), "aiff"),
        (lambda: recordings.sound_file(recordings.pcm(), "OGG", "VORBIS"), "ogg-vorbis"),
        (lambda: recordings.sound_file(recordings.pcm(), "MP3", "MPEG_LAYER_III"), "mp3"),
        (lambda: recordings.encoded("ipod", "aac", recordings.pcm()), "m4a"),
        (lambda: recordings.encoded("mp4", "aac", recordings.pcm()), "mp4"),
        (lambda: recordings.encoded("mp4", "aac", recordings.pcm(), video=True), "mp4"),
        (lambda: recordings.encoded("adts", "aac", recordings.pcm()), "aac"),
        (lambda: recordings.encoded("matroska", "libopus", recordings.pcm()), "matroska"),
    ],
)
def test_every_format_gives_the_same_sound(make: Callable[[], bytes], form: str, tmp_path: Path) -> None:
    sound, pcm = decoded(make(), tmp_path)
    assert (sound.format, sound.fault) == (form, "")
    seconds = sound.samples / sound.rate_hz
    assert seconds == pytest.approx(len(recordings.pcm()) / 16_000, abs=0.15)
    loud = [float(np.sqrt((x**2).mean())) for x in (pcm, recordings.pcm())]
    assert loud[0] == pytest.approx(loud[1], rel=0.03)


def test_amr_is_read_and_its_length_checked(tmp_path: Path) -> None:
    sound, _ = decoded(recordings.amr(2.0), tmp_path)
    assert (sound.format, sound.rate_hz, sound.samples, sound.fault) == ("amr", 8000, 16_000, "")
    assert decoded(recordings.amr(2.0)[:-5], tmp_path)[0].fault == "truncated"


def test_a_chain_is_decoded_to_its_end(tmp_path: Path) -> None:
    """libsndfile alone gives only the first link."""
    assert decoded(recordings.note() * 2, tmp_path)[0].samples == 2 * len(recordings.pcm())


@pytest.mark.parametrize(
    ("data", "fault", "missing_s"),
    [
        (recordings.missing_page, "damaged", 1.0),
        (recordings.flipped_bit, "damaged", 1.0),
        (recordings.no_end, "truncated", 0.0),
        (lambda: recordings.granule(2**50), "damaged", 0.0),  # nothing is lost, the count is a lie
        (lambda: recordings.wav(recordings.pcm())[:-64_000], "truncated", 2.0),
        (lambda: recordings.encoded("matroska", "libopus", recordings.pcm())[:30_000], "truncated", None),
    ],
)
def test_what_is_lost_is_named_and_measured(data: Callable[[], bytes], fault: str, missing_s: float | None, tmp_path: Path) -> None:
    sound, _ = decoded(data(), tmp_path)
    assert sound.fault == fault
    if missing_s is not None:
        assert sound.missing_s == pytest.approx(missing_s, abs=0.03)


def test_no_silence_is_put_where_a_page_was(tmp_path: Path) -> None:
    """libsndfile fills up to what the granules count; the good part is what the packets hold."""
    sound, pcm = decoded(recordings.missing_page(), tmp_path)
    assert sound.samples / 16_000 == pytest.approx(len(recordings.pcm()) / 16_000 - 1.0, abs=0.03)
    assert np.abs(pcm[-1600:]).max() > 0


def test_channels_out_of_phase_do_not_cancel(tmp_path: Path) -> None:
    mono = recordings.pcm()
    _, pcm = decoded(recordings.wav(np.stack([mono, -0.9 * mono], axis=1)), tmp_path)
    assert np.sqrt((pcm**2).mean()) == pytest.approx(np.sqrt((mono**2).mean()), rel=0.01)
    in_phase, _ = decoded(recordings.wav(np.stack([mono, mono], axis=1)), tmp_path)
    alone, _ = decoded(recordings.wav(mono), tmp_path)
    assert in_phase.sha256 == alone.sha256


def test_samples_over_full_scale_are_not_clipped(tmp_path: Path) -> None:
    loud = recordings.pcm() * 50_000
    sound, pcm = decoded(recordings.wav(loud, subtype="FLOAT"), tmp_path)
    assert np.abs(pcm * sound.scale).max() <= 1.0
    assert np.allclose(pcm, loud, rtol=1e-4)


def test_samples_that_are_no_numbers_are_damage(tmp_path: Path) -> None:
    holed = recordings.pcm().copy()
    holed[5000:13_000] = np.nan
    sound, pcm = decoded(recordings.wav(holed, subtype="FLOAT"), tmp_path)
    assert (sound.fault, sound.missing_s) == ("damaged", 0.5)
    assert np.isfinite(pcm).all()


@pytest.mark.parametrize("playlist", ["#EXTM3U\n#EXTINF:5,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"])
def test_a_playlist_is_never_followed(playlist: str, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(recordings.wav(recordings.pcm()))
    with pytest.raises(Unusable) as error:
        decoded(playlist.format(tmp_path / "secret.wav").encode(), tmp_path)
    assert error.value.code == "playlist"


def test_a_decoder_that_dies_or_eats_memory_costs_one_call() -> None:
    with pytest.raises(sandbox.Crashed, match="SIGSEGV"):
        sandbox.call(_crash, limit_s=10)
    with pytest.raises(MemoryError):
        sandbox.call(_eat, 2 * sandbox.GIB, limit_s=10)
    with pytest.raises(sandbox.TimedOut):
        sandbox.call(_hang, limit_s=0.2)
    with pytest.raises(Unusable, match="not_audio"):
        sandbox.call(_refuse, limit_s=10)
    assert sandbox.call(_eat, sandbox.GIB // 4, limit_s=10) == sandbox.GIB // 4


def test_calls_share_a_child_until_one_fails() -> None:
    first = sandbox.call(os.getpid, limit_s=10)
    assert first != os.getpid() and sandbox.call(os.getpid, limit_s=10) == first
    with pytest.raises(Unusable):
        sandbox.call(_refuse, limit_s=10)
    assert sandbox.call(os.getpid, limit_s=10) == first
    os.kill(first, signal.SIGKILL)
    for _ in range(100):
        try:
            assert sandbox.call(os.getpid, limit_s=10) != first
            break
        except sandbox.Crashed:  # the signal arrived between two looks
            time.sleep(0.01)
    else:
        raise AssertionError("no new child")


def _crash() -> None:
    faulthandler.disable()  # pytest's would print a page
    ctypes.string_at(0)


def _eat(size: int) -> int:
    return len(np.ones(size, np.uint8))


def _hang() -> None:
    time.sleep(60)


def _refuse() -> None:
    raise Unusable("not_audio", "no")
