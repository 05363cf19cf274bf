"""Exports that must not be trusted: zip bombs, links, paths that lead outside, damage, encryption."""

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from tests import whatsapp
from tests.whatsapp import AGREED, CHAT, android, run
from tools.whatsapp import export
from voz.data import origins


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return whatsapp.write_notes(tmp_path_factory.mktemp("spoken"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return whatsapp.enter_repository(tmp_path / "repository", monkeypatch)


def hostile(path: Path, spoken: list[Path]) -> Path:
    """A zip of audio without a chat: one good note, and everything that must not be copied."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(spoken[0], "../../escapado.opus")  # a path that leads out of the folder
        file.writestr("bomba.opus", bytes(8 << 20))
        link = zipfile.ZipInfo("enlace.opus")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("programa.sh", "rm -rf /")
    return path


def test_a_chat_that_must_not_be_unpacked_or_is_damaged_is_refused(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "bomba.zip", spoken, "12/5/23, 17:45 - Ana: ja\n" * 100_000)
    assert "Chat de WhatsApp con Ana.txt: packed more than" in run(archive, "--sender", "Ana", *AGREED, status=2)
    with zipfile.ZipFile(tmp_path / "roto.zip", "w") as file:
        file.writestr("_chat.txt", CHAT)
        file.write(spoken[0], "PTT-20230512-WA0001.opus")
    data = (tmp_path / "roto.zip").read_bytes()
    (tmp_path / "roto.zip").write_bytes(data.replace(b"Beto", b"Bato"))
    assert "_chat.txt: damaged in the zip" in run(tmp_path / "roto.zip", "--sender", "Ana", *AGREED, status=2)
    assert not Path("data").exists()


def test_hostile_members_are_left_out(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    said = run(hostile(tmp_path / "malo.zip", spoken), *AGREED)
    assert "1 new notes" in said and "1 a link" in said and f"1 packed more than {export.MAX_RATIO} : 1" in said
    assert not list(tmp_path.rglob("escapado*")) and not list(tmp_path.rglob("*.sh"))
    (row,) = origins.read(Path("data/notes"))
    assert row.original_name == "escapado.opus"


def test_a_damaged_member_is_counted(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = tmp_path / "chat.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as file:
        for number in (0, 1):
            file.write(spoken[number], f"{number}.opus")
    data = bytearray(archive.read_bytes())
    at = data.find(spoken[0].read_bytes()[200:240])
    data[at] ^= 0xFF
    archive.write_bytes(data)
    said = run(archive, *AGREED)
    assert "1 new notes" in said and "1 damaged in the zip" in said


def test_an_encrypted_zip_is_refused(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = hostile(tmp_path / "chat.zip", spoken)
    data = bytearray(archive.read_bytes())
    at = data.find(b"PK\x01\x02")  # the central directory's first entry: set the flag that says encrypted
    struct.pack_into("<H", data, at + 8, struct.unpack_from("<H", data, at + 8)[0] | 1)
    archive.write_bytes(data)
    assert "encrypted" in run(archive, *AGREED, status=2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cortado", None])
def test_what_is_not_a_zip(repository: Path, tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "chat.zip"
    if content is not None:
        archive.write_bytes(content)
    said = run(archive, *AGREED, status=2)
    assert ("not a zip" in said) if content is not None else ("no such file" in said)


def test_zip_names_in_utf8_without_the_flag(tmp_path: Path) -> None:
    archive = tmp_path / "chat.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("NNNNN.opus", b"x")  # patched below: an "ñ" in UTF-8 without the flag, as some phones write it
    archive.write_bytes(archive.read_bytes().replace(b"NNNNN.opus", "niñ1.opus".encode()))
    with export.opened(archive) as source:
        assert [member.name for member in source.members] == ["niñ1.opus"]
