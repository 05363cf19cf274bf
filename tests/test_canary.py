"""A recording outside the notes, the canary, is in no output, whatever the notes or an export say of it: one test per way.

It is a tone that no note has, so it would be found in a converted wav as well as in a copy.
"""

import os
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import yaml

from tests import recordings, whatsapp
from voz.audio import wav
from voz.pipeline import ledger

ROOT = Path(__file__).parent.parent
CANARY_HZ, NOTE_HZ = 999.0, 440.0
SECONDS = 2.0


def tone(hz: float) -> np.ndarray:
    """[T] at 16 kHz"""
    return (0.2 * np.sin(2 * np.pi * hz * np.arange(round(SECONDS * 16_000)) / 16_000)).astype(np.float32)


def share_at(pcm: np.ndarray, hz: float) -> float:
    """The share of a recording's energy within 20 Hz of a frequency. [T] at 22 050 Hz"""
    power = np.abs(np.fft.rfft(pcm)) ** 2
    near = np.abs(np.fft.rfftfreq(len(pcm), 1 / wav.SAMPLE_RATE_HZ) - hz) < 20
    return float(power[near].sum() / power.sum())


def external_movie(target: Path) -> bytes:
    """A QuickTime movie whose sound lies in another file, named by an alias record in its `dref` box, as QuickTime wrote them."""
    data = recordings.encoded("mov", "pcm_s16le", tone(NOTE_HZ))
    path = str(target).encode()
    path += b"\0" * (len(path) % 2)
    volume, name = b"disk".ljust(27, b"\0"), target.name.encode().ljust(63, b"\0")
    alias = (
        bytes(10) + bytes([4]) + volume + bytes(12) + bytes([len(target.name)]) + name + bytes(16) + struct.pack(">HH", 1, 1) + bytes(16)
    )
    alias += struct.pack(">HH", 2, len(path)) + path + struct.pack(">HH", 0xFFFF, 0)
    entry = struct.pack(">I4sI", 12 + len(alias), b"alis", 0) + alias  # flags 0: not in this file
    return with_box(data, (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"), struct.pack(">II", 0, 1) + entry)


def with_box(data: bytes, path: tuple[bytes, ...], content: bytes) -> bytes:
    """A file of boxes with the content of one of them, the first at `path`, replaced. Boxes after it move."""
    at = 0
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if name == path[0]:
            inner = content if len(path) == 1 else with_box(data[at + 8 : at + size], path[1:], content)
            return data[:at] + struct.pack(">I4s", 8 + len(inner), name) + inner + data[at + size :]
        at += size
    raise AssertionError(f"no box {path[0]!r}")


def linked(notes: Path, canary: Path) -> None:
    (notes / "a.wav").symlink_to(canary)


def linked_relative(notes: Path, canary: Path) -> None:
    (notes / "a.wav").symlink_to(f"../{canary.parent.name}/{canary.name}")


def linked_folder(notes: Path, canary: Path) -> None:
    (notes / "more").symlink_to(canary.parent)


def link_to_a_link(notes: Path, canary: Path) -> None:
    (notes / "a.wav").symlink_to("b.wav")
    (notes / "b.wav").symlink_to(canary)


PLAYLISTS = {
    "HLS": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{path}\n#EXT-X-ENDLIST\n",
    "HLS with a byte order mark": "\ufeff#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{path}\n#EXT-X-ENDLIST\n",
    "HLS with an init section": '#EXTM3U\n#EXT-X-MAP:URI="file://{path}"\n#EXTINF:9,\nfile://{path}\n',
    "ffconcat": "ffconcat version 1.0\nfile '{path}'\n",
    "PLS": "[playlist]\nFile1={path}\nNumberOfEntries=1\n",
    "DASH": '<?xml version="1.0"?>\n<MPD><Period><AdaptationSet><BaseURL>{path}</BaseURL></AdaptationSet></Period></MPD>',
    "XSPF": '<?xml version="1.0"?>\n<playlist><trackList><track><location>file://{path}</location></track></trackList></playlist>',
    "SMIL": '<smil><body><audio src="{path}"/></body></smil>',
    "SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:file://{path}\nm=audio 9 RTP/AVP 0\n",
    "cue sheet": 'FILE "{path}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
    "asf reference": "[Reference]\nRef1=file://{path}\n",
    "a path alone": "{path}\n",
    "a protocol": "concat:{path}|{path}",
}
LINKS: dict[str, Callable[[Path, Path], None]] = {
    "an absolute link": linked,
    "a relative link": linked_relative,
    "a linked folder": linked_folder,
    "a link to a link": link_to_a_link,
}


def convert(folder: Path) -> dict[str, ledger.Row]:
    """Run convert on `notes` in a process of its own. Returns the ledger's rows by name."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values["compute"] |= {"device": "cpu", "workers": 1}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (folder / "notes/good.wav").write_bytes(recordings.wav(tone(NOTE_HZ)))
    environment = {key: value for key, value in os.environ.items() if key != "DVC_ROOT"} | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "stages.convert", "notes", "wav", "--ledger", "ledger.csv"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return {row.input: row for row in ledger.read(folder / "ledger.csv")}


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """The recording, beside a folder for notes."""
    (tmp_path / "notes").mkdir()
    path = tmp_path / "outside" / "canary.wav"
    path.parent.mkdir()
    path.write_bytes(recordings.wav(tone(CANARY_HZ)))
    return path


def require_no_canary(folder: Path) -> None:
    """No wav below the folder, in the outputs or in the cache, has the canary's tone, but that of the good note has its own."""
    heard = [wav.read(path) for path in folder.rglob("*.wav") if path.parent.name not in ("outside", "notes", "more")]
    assert heard and max(share_at(pcm, CANARY_HZ) for pcm in heard) < 0.01 < 0.9 < max(share_at(pcm, NOTE_HZ) for pcm in heard)


def test_the_canary_would_be_heard(canary: Path) -> None:
    convert(canary.parent.parent)
    (canary.parent.parent / "notes/b.wav").write_bytes(canary.read_bytes())
    convert(canary.parent.parent)
    with pytest.raises(AssertionError):
        require_no_canary(canary.parent.parent)


def test_by_a_playlist(canary: Path) -> None:
    for number, text in enumerate(PLAYLISTS.values()):
        for ending in ("ogg", "m3u8"):
            (canary.parent.parent / f"notes/{number}.{ending}").write_text(text.format(path=canary), encoding="utf-8")
    rows = convert(canary.parent.parent)
    assert {name for name, row in rows.items() if not row.reason} == {"good.wav"}
    require_no_canary(canary.parent.parent)


@pytest.mark.parametrize("way", LINKS)
def test_by_a_link(way: str, canary: Path) -> None:
    LINKS[way](canary.parent.parent / "notes", canary)
    rows = convert(canary.parent.parent)
    assert {row.reason for name, row in rows.items() if name != "good.wav"} == {"link"}
    require_no_canary(canary.parent.parent)


def test_by_metadata(canary: Path) -> None:
    movie = external_movie(canary)
    assert str(canary).encode() in movie
    notes = canary.parent.parent / "notes"
    (notes / "movie.mov").write_bytes(movie)
    (notes / f"file:{str(canary).replace('/', ':')}.wav").write_bytes(recordings.wav(tone(NOTE_HZ / 2)))
    rows = convert(canary.parent.parent)
    assert rows["movie.mov"].reason, "a movie without its sound"
    require_no_canary(canary.parent.parent)


def test_the_movie_refers_to_the_canary(canary: Path) -> None:
    """With its protections off, FFmpeg follows the reference: the test above asserts something."""
    path = canary.parent / "movie.mov"
    path.write_bytes(external_movie(canary))
    options = {"enable_drefs": "1", "use_absolute_path": "1"}
    with av.open(str(path), options=options) as opened:
        pcm = np.concatenate([frame.to_ndarray().reshape(-1) for frame in opened.decode(audio=0)]).astype(np.float32)
    power = np.abs(np.fft.rfft(pcm))
    assert abs(np.argmax(power[10:]) + 10 - CANARY_HZ * len(pcm) / 16_000) < 5


def test_by_a_zip(canary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member that is a link, members whose paths lead out, and a member that is a zip."""
    path, chat = tmp_path / "chat.zip", []
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("PTT-20230512-WA0001.opus")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, str(canary))
        for name in (f"../outside/{canary.name}", str(canary), "PTT-20230512-WA0002.opus"):
            archive.writestr(name, recordings.note())
        archive.writestr("PTT-20230512-WA0003.opus", str(canary))
        for number, name in enumerate(["PTT-20230512-WA0001.opus", canary.name, "PTT-20230512-WA0002.opus", "PTT-20230512-WA0003.opus"]):
            chat.append(f"12/5/23, 17:4{number} - Ana: {name} (archivo adjunto)\n")
        archive.writestr("_chat.txt", "".join(chat))
    before = canary.read_bytes()
    whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    whatsapp.run(path, "--sender", "Ana", *whatsapp.AGREED)
    taken = [note.read_bytes() for note in Path("data/notes").iterdir()]
    assert canary.read_bytes() == before and before not in taken and recordings.note() in taken
