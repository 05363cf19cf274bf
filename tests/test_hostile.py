"""stages/convert.py on damaged and malicious files and names: each is accepted, or in the ledger with its reason code.

One run of `python -m stages.convert` converts all of them, in a process of its own, as DVC starts it.
"""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml

from tests import recordings
from voz.pipeline import ledger, records

ROOT = Path(__file__).parent.parent
ACCEPTED = ""
SECRET = "sound-of-another-file"


def _second(start: int = 0, length: int = 1) -> np.ndarray:
    """`length` seconds of the fixture. Each file gets other ones, or it would be a duplicate."""
    return recordings.pcm()[(start + 1) * 16_000 : (start + 1 + length) * 16_000]


def _tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(round(seconds * 16_000)) / 16_000)).astype(np.float32)


def _holed() -> np.ndarray:
    pcm = _tone(500).copy()
    pcm[100:110] = np.nan
    return pcm


def _broken_caf() -> bytes:
    """The size of a chunk is wrong, so that FFmpeg takes samples for a chunk header and seeks to before the start of the file."""
    data = bytearray(recordings.sound_file(_second(0, 2), "CAF", "PCM_16"))
    data[62] = 0xEB
    return bytes(data)


def _ended(parts: list[bytearray]) -> bytes:
    """A file of these pages, with the end-of-stream flag on the last one."""
    parts[-1][5] |= 4
    recordings.seal(parts[-1])
    return recordings.joined(parts)


def _chained(seconds: float) -> bytes:
    """The fixture repeated to `seconds`: one file of many links."""
    return recordings.note() * (1 + round(seconds / 25.4))


def _channels(count: int) -> bytes:
    """A WAV that states a number of channels for which FFmpeg has no layout: its resampler raises an error."""
    data = bytearray(recordings.wav(np.stack([_second(6, 3)] * 2, axis=1), subtype="FLOAT"))
    data[22] = count
    return bytes(data)


NOTE, PAGES = recordings.note, lambda: recordings.pages(recordings.note())
CORPUS: dict[str, tuple[str, bytes]] = {
    "zero bytes.opus": ("empty_file", b""),
    "one byte.opus": ("not_audio", b"O"),
    "headers only.opus": ("no_samples", _ended(PAGES()[:2])),
    "headers only, no end.opus": ("truncated", recordings.joined(PAGES()[:2])),
    "half a header.opus": ("unreadable", NOTE()[:20]),
    "cut in a page.opus": ("truncated", NOTE()[:33_333]),
    "cut between pages.opus": ("truncated", recordings.joined(PAGES()[:9])),
    "missing page.opus": ("damaged", recordings.missing_page()),
    "bad crc.opus": ("damaged", recordings.flipped_bit()),
    "no end of stream.opus": ("truncated", recordings.no_end()),
    "absurd granule.opus": ("damaged", recordings.granule(2**50)),
    "backward granule.opus": ("damaged", recordings.granule(1)),
    "chained.opus": (ACCEPTED, NOTE() * 2),
    "garbage at the end.opus": (ACCEPTED, NOTE() + b"PK\3\4" * 100),
    "garbage at the start.opus": ("not_audio", b"\0" * 100 + NOTE()),
    "garbage all over.opus": ("unreadable", b"OggS" + np.random.default_rng(1).bytes(5000)),
    "mp3 named ogg.ogg": (ACCEPTED, recordings.sound_file(_second(0, 3), "MP3", "MPEG_LAYER_III")),
    "video with sound.mp4": (ACCEPTED, recordings.encoded("mp4", "aac", _second(1, 2), video=True)),
    "video without sound.mp4": ("no_audio_stream", recordings.encoded("mp4", "aac", _second(), video=True, sound=False)),
    "cut video.mp4": ("truncated", recordings.encoded("mp4", "aac", _second(2, 2))[:-200]),
    "cut wav.wav": ("truncated", recordings.wav(_second(3))[:-9000]),
    "cut flac.flac": ("damaged", recordings.sound_file(_second(4, 4), "FLAC", "PCM_16")[:-20_000]),
    "cut amr.amr": ("truncated", recordings.amr(2.0)[:-3]),
    "broken caf.caf": ("unreadable", _broken_caf()),
    "title in latin-1.m4a": (ACCEPTED, recordings.encoded("ipod", "aac", _second(7)).replace(b"Lavf", b"\xcdavf")),
    "cut aac.aac": ("truncated", recordings.encoded("adts", "aac", _second(5))[:-3]),
    "wav without samples.wav": ("no_samples", recordings.wav(np.zeros(0, np.float32))),
    "text.opus": ("not_audio", b"esto no es un audio\n" * 50),
    "picture.opus": ("not_audio", b"\x89PNG\r\n\x1a\n" + bytes(900)),
    "zip.opus": ("not_audio", b"PK\3\4" + bytes(900)),
    "hls.ogg": ("playlist", f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n../{SECRET}.wav\n#EXT-X-ENDLIST\n".encode()),
    "ffconcat.ogg": ("playlist", f"ffconcat version 1.0\nfile '../{SECRET}.wav'\n".encode()),
    "pls.mp3": ("playlist", f"[playlist]\nFile1=../{SECRET}.wav\n".encode()),
    "a tenth of a second.wav": ("too_short", recordings.wav(_tone(400, 0.1))),
    "silence.wav": ("silent", recordings.wav(np.zeros(32_000, np.float32))),
    "offset and nothing else.wav": ("silent", recordings.wav(np.full(32_000, 0.3, np.float32))),
    "whole.amr": (ACCEPTED, recordings.amr(2.0)),
    "clipped.wav": (ACCEPTED, recordings.wav(np.clip(_tone(310) * 50, -1, 1))),
    "offset.wav": (ACCEPTED, recordings.wav(_tone(320) + 0.5)),
    "stereo in phase.wav": (ACCEPTED, recordings.wav(np.stack([_tone(330)] * 2, axis=1))),
    "stereo out of phase.wav": (ACCEPTED, recordings.wav(np.stack([_tone(340), -_tone(340)], axis=1))),
    "stereo that cancels.wav": (ACCEPTED, recordings.wav(np.stack([_tone(345), -_tone(345)], axis=1), subtype="FLOAT")),
    "127 channels.wav": ("unreadable", _channels(127)),
    "8 kHz.wav": (ACCEPTED, recordings.wav(_tone(350), rate_hz=8000)),
    "1 kHz.wav": ("unreadable", recordings.wav(_tone(350), rate_hz=1000)),
    "not a number.wav": ("damaged", recordings.wav(_holed(), subtype="FLOAT")),
    "infinite.wav": ("damaged", recordings.wav(np.full(16_000, np.inf, np.float32), subtype="FLOAT")),
    "far too loud.wav": (ACCEPTED, recordings.wav(_tone(360) * 1e20, subtype="FLOAT")),
    "a|pipe|b.wav": (ACCEPTED, recordings.wav(_tone(370))),
    "new\nline.wav": (ACCEPTED, recordings.wav(_tone(380))),
    "-rf.wav": (ACCEPTED, recordings.wav(_tone(390))),
    "\N{GRINNING FACE}\N{FAMILY}.wav": (ACCEPTED, recordings.wav(_tone(410))),
    os.fsdecode(b"latin-\xf1and\xfa.wav"): (ACCEPTED, recordings.wav(_tone(420))),
    "case.wav": (ACCEPTED, recordings.wav(_tone(430))),
    "CASE.wav": (ACCEPTED, recordings.wav(_tone(440))),
    "same.wav": ("duplicate", recordings.wav(_tone(440))),
    "$(touch owned);`id`.wav": (ACCEPTED, recordings.wav(_tone(450))),
    "x" * 250 + ".wav": (ACCEPTED, recordings.wav(_tone(460))),
    "no extension": (ACCEPTED, recordings.wav(_tone(470))),
    ".DS_Store": ("not_audio", b"\0\0\0\1Bud1" + bytes(500)),
}
SHOWN = {"new\nline.wav": "new\\nline.wav", os.fsdecode(b"latin-\xf1and\xfa.wav"): "latin-\\xf1and\\xfa.wav"}
SPECIAL = {
    "pipe.opus": "not_a_file",
    "loop": "link",
    "link to itself": "link",
    "outside.wav": "link",
    "gone.wav": "link",
    "cached.wav": "link",
}


def _params(folder: Path) -> None:
    convert = {"highpass_hz": 60.0, "level_db": -23.0, "accept_damaged": False}
    (folder / "params.yaml").write_text(yaml.safe_dump({"compute": {"device": "cpu", "workers": 2, "cache_gb": 1.0}, "convert": convert}))


def _convert(folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"} | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "stages.convert", "notes", "wav", "--ledger", "ledger.csv"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=500)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the corpus has been converted."""
    folder = tmp_path_factory.mktemp("hostile")
    _params(folder)
    notes = folder / "notes"
    notes.mkdir()
    for name, (_, data) in CORPUS.items():
        (notes / name).write_bytes(data)
    (folder / f"{SECRET}.wav").write_bytes(recordings.wav(_tone(999)))
    os.mkfifo(notes / "pipe.opus")
    (notes / "loop").symlink_to(".")
    (notes / "link to itself").symlink_to("link to itself")
    (notes / "outside.wav").symlink_to(folder / f"{SECRET}.wav")
    (notes / "gone.wav").symlink_to("nowhere")
    cached = folder / "elsewhere" / "files" / "md5" / "ab" / ("0" * 30)  # looks like DVC's cache, but is not this checkout's
    cached.parent.mkdir(parents=True)
    cached.write_bytes(recordings.wav(_tone(998)))
    (notes / "cached.wav").symlink_to(cached)
    result = _convert(folder)
    assert result.returncode == 0, result.stderr
    assert not any(word in result.stderr for word in ("Traceback", "error:", "Warning")), result.stderr
    return folder


@pytest.fixture(scope="module")
def rows(ran: Path) -> dict[str, ledger.Row]:
    return {row.input: row for row in ledger.read(ran / "ledger.csv")}


@pytest.mark.parametrize("name", CORPUS, ids=ascii)
def test_each_file_has_its_reason_code(name: str, rows: dict[str, ledger.Row]) -> None:
    row = rows[SHOWN.get(name, name)]
    assert row.reason == CORPUS[name][0], row.detail
    assert row.detail or not row.reason


def test_links_and_pipes_are_not_opened(rows: dict[str, ledger.Row]) -> None:
    assert {name: rows[name].reason for name in SPECIAL} == SPECIAL


def test_every_file_is_in_the_ledger_and_nothing_else_in_the_output(ran: Path, rows: dict[str, ledger.Row]) -> None:
    assert len(rows) == len(CORPUS) + len(SPECIAL)
    accepted = {row.item for row in rows.values() if not row.reason}
    assert {path.stem for path in (ran / "wav").glob("*.wav")} == accepted == {note.id for note in records.read(ran / "wav", records.Note)}
    assert not (ran / "owned").exists()
    assert not list(ran.glob(".cache/convert/*/.tmp-*"))


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    _params(tmp_path)
    (tmp_path / "notes").mkdir()
    for name in ("good.opus", "locked.opus"):
        (tmp_path / "notes" / name).write_bytes(NOTE())
    (tmp_path / "notes" / "locked.opus").chmod(0)
    assert _convert(tmp_path).returncode == 0
    assert {row.input: row.reason for row in ledger.read(tmp_path / "ledger.csv")} == {"good.opus": "", "locked.opus": "unreadable"}


def test_an_empty_folder_is_one_line(tmp_path: Path) -> None:
    _params(tmp_path)
    (tmp_path / "notes").mkdir()
    result = _convert(tmp_path)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1)
    assert "notes: no usable voice note (the folder is empty)" in result.stderr


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 3 MB: room for the notes, not for their wavs."""
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", tmp_path], capture_output=True).returncode:
        pytest.skip("mounting a disk needs root")
    yield tmp_path
    subprocess.run(["umount", tmp_path], check=True)


def test_a_full_disk_stops_the_stage_without_an_output(small_disk: Path) -> None:
    _params(small_disk)
    (small_disk / "notes").mkdir()
    for n in range(5):
        (small_disk / "notes" / f"{n}.opus").write_bytes(NOTE() * (n + 1))
    result = _convert(small_disk)
    assert result.returncode == 1, result.stderr
    assert "no space left" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (small_disk / "wav").exists()
    assert not (small_disk / "ledger.csv").exists()


def test_a_read_only_output_stops_the_stage_with_one_line(small_disk: Path) -> None:
    _params(small_disk)
    (small_disk / "notes").mkdir()
    (small_disk / "notes" / "a.opus").write_bytes(NOTE())
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    result = _convert(small_disk)
    assert result.returncode == 1, result.stderr
    assert "read-only file system" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.slow
def test_three_hours_take_less_than_a_gigabyte(tmp_path: Path) -> None:
    _params(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "long.opus").write_bytes(_chained(3 * 3600))
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    assert _convert(tmp_path).returncode == 0
    (note,) = records.read(tmp_path / "wav", records.Note)
    assert note.duration_s > 3 * 3600
    assert max(before, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) < 2**20  # KiB
    shutil.rmtree(tmp_path)  # 1 GB
