"""voz/audio/decode.py: every format gives the same samples, damage is reported and measured, no file opens another one."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests import recordings
from voz.audio import decode
from voz.audio.faults import Unusable


def decoded(data: bytes, folder: Path) -> tuple[decode.DecodedAudio, np.ndarray]:
    """What `decode` returns, and the samples that it stored, not scaled. [T]"""
    path, raw = folder / "named.ogg", folder / "raw"  # for most formats the name is wrong
    path.write_bytes(data)
    audio = decode.decode(path, raw)
    return audio, np.fromfile(raw, dtype="<f4") / np.float32(audio.scale)


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
def test_every_format_gives_the_same_samples(make: Callable[[], bytes], form: str, tmp_path: Path) -> None:
    audio, pcm = decoded(make(), tmp_path)
    assert (audio.format, audio.fault) == (form, "")
    assert audio.samples / audio.rate_hz == pytest.approx(len(recordings.pcm()) / 16_000, abs=0.15)
    rms = [float(np.sqrt((samples**2).mean())) for samples in (pcm, recordings.pcm())]
    assert rms[0] == pytest.approx(rms[1], rel=0.03)


def test_amr_is_read_and_its_length_checked(tmp_path: Path) -> None:
    audio, _ = decoded(recordings.amr(2.0), tmp_path)
    assert (audio.format, audio.rate_hz, audio.samples, audio.fault) == ("amr", 8000, 16_000, "")
    assert decoded(recordings.amr(2.0)[:-5], tmp_path)[0].fault == "truncated"


def test_a_chained_file_is_decoded_to_its_end(tmp_path: Path) -> None:
    """libsndfile alone gives only the first link."""
    assert decoded(recordings.note() * 2, tmp_path)[0].samples == 2 * len(recordings.pcm())


@pytest.mark.parametrize(
    ("data", "fault", "missing_s"),
    [
        (recordings.missing_page, "damaged", 1.0),
        (recordings.flipped_bit, "damaged", 1.0),
        (recordings.no_end, "truncated", 0.0),
        (lambda: recordings.granule(2**50), "damaged", 0.0),  # nothing is lost, only the number is wrong
        (lambda: recordings.wav(recordings.pcm())[:-64_000], "truncated", 2.0),
        (lambda: recordings.encoded("matroska", "libopus", recordings.pcm())[:30_000], "truncated", None),
    ],
)
def test_damage_is_named_and_measured(data: Callable[[], bytes], fault: str, missing_s: float | None, tmp_path: Path) -> None:
    audio, _ = decoded(data(), tmp_path)
    assert audio.fault == fault
    if missing_s is not None:
        assert audio.missing_s == pytest.approx(missing_s, abs=0.03)


def test_a_missing_page_is_not_replaced_by_silence(tmp_path: Path) -> None:
    """libsndfile appends silence up to the last granule position."""
    audio, pcm = decoded(recordings.missing_page(), tmp_path)
    assert audio.samples / 16_000 == pytest.approx(len(recordings.pcm()) / 16_000 - 1.0, abs=0.03)
    assert np.abs(pcm[-1600:]).max() > 0


def test_channels_out_of_phase_do_not_cancel(tmp_path: Path) -> None:
    mono = recordings.pcm()
    _, pcm = decoded(recordings.wav(np.stack([mono, -0.9 * mono], axis=1)), tmp_path)
    assert np.sqrt((pcm**2).mean()) == pytest.approx(np.sqrt((mono**2).mean()), rel=0.01)
    in_phase, _ = decoded(recordings.wav(np.stack([mono, mono], axis=1)), tmp_path)
    alone, _ = decoded(recordings.wav(mono), tmp_path)
    assert in_phase.sha256 == alone.sha256


def test_of_channels_that_cancel_exactly_one_is_taken(tmp_path: Path) -> None:
    mono = recordings.pcm()
    _, pcm = decoded(recordings.wav(np.stack([mono, -mono], axis=1), subtype="FLOAT"), tmp_path)
    assert np.array_equal(pcm, mono)


@pytest.mark.parametrize("channels", [[1.0], [1.0, -1.0]])
def test_samples_over_full_scale_are_not_clipped(channels: list[float], tmp_path: Path) -> None:
    """SoX clips what is stored above 1."""
    loud = recordings.pcm() * 50_000
    audio, pcm = decoded(recordings.wav(np.stack([loud * sign for sign in channels], axis=1), subtype="FLOAT"), tmp_path)
    assert np.abs(pcm * audio.scale).max() <= 1.0
    assert np.allclose(pcm, loud, rtol=1e-4)


def test_samples_that_are_not_finite_are_damage(tmp_path: Path) -> None:
    holed = recordings.pcm().copy()
    holed[5000:13_000] = np.nan
    audio, pcm = decoded(recordings.wav(holed, subtype="FLOAT"), tmp_path)
    assert (audio.fault, audio.missing_s) == ("damaged", 0.5)
    assert np.isfinite(pcm).all()


@pytest.mark.parametrize("playlist", ["#EXTM3U\n#EXTINF:5,\n{}\n", "ffconcat version 1.0\nfile '{}'\n"])
def test_a_playlist_is_never_followed(playlist: str, tmp_path: Path) -> None:
    (tmp_path / "secret.wav").write_bytes(recordings.wav(recordings.pcm()))
    with pytest.raises(Unusable) as error:
        decoded(playlist.format(tmp_path / "secret.wav").encode(), tmp_path)
    assert error.value.code == "playlist"


@pytest.mark.parametrize(
    "error",
    [
        av.error.InvalidDataError(1, "x"),
        soundfile.LibsndfileError(2),
        ZeroDivisionError("x"),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
    ],
)
def test_whatever_a_decoder_raises_concerns_only_its_file(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(decode, "_open", fail)
    with pytest.raises(Unusable) as raised:
        decoded(recordings.note(), tmp_path)
    assert raised.value.code == "unreadable" and type(error).__name__ in raised.value.detail


def test_a_number_of_channels_without_a_layout(tmp_path: Path) -> None:
    data = bytearray(recordings.wav(np.stack([recordings.pcm()[:48_000]] * 2, axis=1), subtype="FLOAT"))
    data[22] = 127
    with pytest.raises(Unusable) as raised:
        decoded(bytes(data), tmp_path)
    assert raised.value.code == "unreadable" and "ArgumentError" in raised.value.detail


@pytest.mark.parametrize("error", [OSError(28, "no space left"), MemoryError()])
def test_a_fault_of_the_machine_is_not_the_files(error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(decode, "_open", fail)
    with pytest.raises(type(error)):
        decoded(recordings.note(), tmp_path)


@pytest.mark.parametrize(("container", "codec"), [("ipod", "aac"), ("mp4", "aac"), ("matroska", "libopus")])
def test_tags_that_are_not_utf8(container: str, codec: str, tmp_path: Path) -> None:
    data = recordings.encoded(container, codec, recordings.pcm()[:32_000])
    assert b"Lavf" in data
    audio, _ = decoded(data.replace(b"Lavf", b"\xcdavf"), tmp_path)
    assert audio.samples / audio.rate_hz == pytest.approx(2.0, abs=0.15)


def test_an_mp3_whose_title_is_not_utf8(tmp_path: Path) -> None:
    frame = b"TIT2" + (6).to_bytes(4, "big") + b"\0\0" + b"\3Per\xfa\0"  # says UTF-8, is Latin-1
    tag = b"ID3\3\0\0" + bytes([0, 0, 0, len(frame)]) + frame
    audio, _ = decoded(tag + recordings.sound_file(recordings.pcm()[:32_000], "MP3", "MPEG_LAYER_III"), tmp_path)
    assert audio.samples / audio.rate_hz == pytest.approx(2.0, abs=0.15)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III")],
)
def test_exactly_inverted_stereo_keeps_its_sound(container: str, subtype: str, tmp_path: Path) -> None:
    mono = recordings.pcm()[:48_000]
    audio, pcm = decoded(recordings.sound_file(np.stack([mono, -mono], axis=1), container, subtype), tmp_path)
    assert audio.fault == "" and float(np.sqrt((pcm**2).mean())) == pytest.approx(float(np.sqrt((mono**2).mean())), rel=0.1)
