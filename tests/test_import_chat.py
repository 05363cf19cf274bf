"""`make notes`: real zips with real Opus notes, into a repository with a real DVC."""

import contextlib
import io
import os
import pty
import shutil
import stat
import struct
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest
import yaml

from tools.whatsapp import export, import_chat
from voz.data import consent, corrections, origins
from voz.pipeline.command import UserError

ROOT = Path(__file__).parent.parent
AGREED = ["--consent-speaker", "Ana Pérez", "--consent-statement", "Soy yo y estoy de acuerdo."]
CHAT = """\ufeff12/5/23, 17:44 - Los mensajes están cifrados de extremo a extremo.
12/5/23, 17:45 - Ana Pérez: \u200ePTT-20230512-WA0001.opus (archivo adjunto)
12/5/23, 5:46\u202fp.\u00a0m. - \u202aAna Pérez\u202c: PTT-20230512-WA0002.opus (archivo adjunto)
13/5/23, 9:00 - ~\u202fBeto: PTT-20230513-WA0003.opus (archivo adjunto)
13/5/23, 9:01 - Ana Pérez: AUD-20230513-WA0004.opus (archivo adjunto)
13/5/23, 9:02 - Ana Pérez: PTT-20230513-WA0009.opus (archivo adjunto)
13/5/23, 9:03 - Ana Pérez: IMG-20230513-WA0005.jpg (archivo adjunto)
"""


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Six Opus notes of about a second, each of other words."""
    folder = tmp_path_factory.mktemp("spoken")
    paths = []
    for number, words in enumerate(["hola che", "qué hacés", "dale, mirá", "yo ya llegué", "buen día", "hasta mañana"]):
        wav, opus = folder / f"{number}.wav", folder / f"{number}.opus"
        subprocess.run(["espeak-ng", "-v", "es-419", "-w", wav, words], check=True)
        subprocess.run(
            ["ffmpeg", "-v", "error", "-i", wav, "-c:a", "libopus", "-b:a", "16k", "-ar", "16000", "-bitexact", opus], check=True
        )
        paths.append(opus)
    return paths


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository with git, DVC and the project's params.yaml; the working directory."""
    folder = tmp_path / "repository"
    folder.mkdir()
    for name in ("params.yaml", ".gitignore", ".dvcignore"):
        shutil.copy(ROOT / name, folder)
    for call in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(call, cwd=folder, check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return folder


def android(path: Path, spoken: list[Path], chat: str = CHAT) -> Path:
    """An Android export: four audio files, an unnamed one, a picture."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("Chat de WhatsApp con Ana.txt", chat)
        for name, source in zip(
            ["PTT-20230512-WA0001", "PTT-20230512-WA0002", "PTT-20230513-WA0003", "AUD-20230513-WA0004"], spoken, strict=False
        ):
            file.write(source, f"{name}.opus")
        file.write(spoken[4], "PTT-20230514-WA0007.opus")
        file.writestr("IMG-20230513-WA0005.jpg", b"\xff\xd8\xff")
    return path


def run(*arguments: object, status: int = 0) -> str:
    """Run the import where nobody can be asked; returns what it printed, or its one-line error."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(sys, "argv", ["import_chat", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO())
        if status:
            with pytest.raises(UserError) as raised:
                import_chat.main()
            assert "\n" not in str(raised.value)
            return str(raised.value)
        import_chat.main()
    return said.getvalue()


def test_android_export(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    before = Path("params.yaml").read_text()
    said = run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", *AGREED)
    rows = origins.read(Path("data/notes"))
    assert [(row.original_name, row.date, row.sender) for row in rows] == [
        ("PTT-20230512-WA0001.opus", "2023-05-12T17:45", "Ana Pérez"),
        ("PTT-20230512-WA0002.opus", "2023-05-12T17:46", "Ana Pérez"),
    ]
    for row, source in zip(rows, spoken, strict=False):
        assert (Path("data/notes") / row.file).read_bytes() == source.read_bytes()
        assert row.file == f"2023-05-12_{row.id}.opus" and 0.3 < float(row.duration_s) < 3.0
    for part in (
        "2 new notes",
        "1 of other senders",
        "1 audio files",
        "1 named by no line",
        "1 named by the chat but not in the export",
        "dvc repro",
    ):
        assert part in said
    agreed = consent.read(Path("data/notes"))
    assert (agreed.speaker, agreed.statement) == ("Ana Pérez", "Soy yo y estoy de acuerdo.")
    assert corrections.read(Path("data/corrections.csv")) == {}
    params = yaml.safe_load(Path("params.yaml").read_text())
    assert (params["notes"], params["corrections"]) == ("data/notes", "data/corrections.csv")
    after = Path("params.yaml").read_text().splitlines()
    for was, now in zip(before.splitlines(), after, strict=True):
        assert was == now or (was.startswith(("notes:", "corrections:")) and was.partition("#")[2] == now.partition("#")[2])
    assert Path("data/notes.dvc").is_file() and Path("data/corrections.csv.dvc").is_file()
    status = subprocess.run(["git", "status", "--porcelain", "-uall"], capture_output=True, text=True, check=True).stdout
    assert ".opus" not in status and "notes.csv" not in status


def test_a_newer_export_adds_what_is_new(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", *AGREED)
    first = {path.name: path.stat().st_mtime_ns for path in Path("data/notes").glob("*.opus")}
    Path("data/corrections.csv").write_text("clip,action,text\n0123456789ab-0000000-0009000,reject,\n")
    lines = (
        "20/5/23, 10:00 - Ana Pérez: PTT-20230520-WA0011.opus (archivo adjunto)\n20/5/23, 10:01 - Ana Pérez: PTT-20230520-WA0012.opus (x)\n"
    )
    newer = android(tmp_path / "newer.zip", spoken, CHAT + lines)
    again = tmp_path / "again.opus"  # the same sound in other bytes
    subprocess.run(["ffmpeg", "-v", "error", "-i", spoken[0], "-c", "copy", "-metadata", "title=otra", again], check=True)
    with zipfile.ZipFile(newer, "a") as file:
        file.write(spoken[5], "PTT-20230520-WA0011.opus")
        file.write(again, "PTT-20230520-WA0012.opus")
    said = run(newer, "--sender", "Ana Pérez")
    assert "1 new notes" in said and "3 were there already" in said
    assert again.read_bytes() != spoken[0].read_bytes()
    assert len(origins.read(Path("data/notes"))) == 3
    assert {name: Path("data/notes", name).stat().st_mtime_ns for name in first} == first
    assert len(corrections.read(Path("data/corrections.csv"))) == 1
    assert "0 new notes" in run(newer, "--sender", "Ana Pérez")


def test_audio_files_are_taken_when_asked_for(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", "--audio-files", *AGREED)
    assert "AUD-20230513-WA0004.opus" in [row.original_name for row in origins.read(Path("data/notes"))]


def test_unknown_sender_gets_the_list(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "chat.zip", spoken)
    for sender in ([], ["--sender", "Ana"]):
        assert '"Ana Pérez" (2), "Beto" (1)' in run(archive, *sender, *AGREED, status=2)
    assert not Path("data").exists()
    assert "1 new notes" in run(archive, "--sender", "Beto", *AGREED)  # the chat says "~ Beto"


def test_ios_folder_with_decomposed_names(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / unicodedata.normalize("NFD", "Chat con José") / "interior"
    folder.mkdir(parents=True)
    sender = unicodedata.normalize("NFD", "José: trabajo")
    name = unicodedata.normalize("NFD", "Ñandú-AUDIO-2023-05-12-17-45-32.opus")
    (folder / "_chat.txt").write_text(f"\u200e[5/12/23, 5:45:32\u202fPM] {sender}: \u200e<adjunto: {name}>\r\n", encoding="utf-8")
    shutil.copy(spoken[0], folder / unicodedata.normalize("NFC", name))
    os.symlink("/etc/hostname", folder / "PTT-20230512-WA0002.opus")
    os.mkfifo(folder / "PTT-20230512-WA0003.opus")
    said = run(folder.parent, "--sender", "José: trabajo", *AGREED)
    assert "1 a link" in said and "1 no plain file" in said
    assert [row.date for row in origins.read(Path("data/notes"))] == ["2023-05-12T17:45"]
    assert len(list(Path("data/notes").iterdir())) == 3


def test_two_chats_in_a_folder_keep_their_own_files(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    for number, sender in enumerate(("Ana", "Beto")):
        folder = tmp_path / "both" / sender
        folder.mkdir(parents=True)
        (folder / "_chat.txt").write_text(f"[12/5/23, 17:45:32] {sender}: <adjunto: 00000001-AUDIO-2023-05-12-17-45-32.opus>\n")
        shutil.copy(spoken[number], folder / "00000001-AUDIO-2023-05-12-17-45-32.opus")
    run(tmp_path / "both", "--sender", "Ana", *AGREED)
    (row,) = origins.read(Path("data/notes"))
    assert (Path("data/notes") / row.file).read_bytes() == spoken[0].read_bytes()


def test_plain_folder_of_audio(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    folder = tmp_path / "grabaciones"
    folder.mkdir()
    shutil.copy(spoken[0], folder / "-rf; una|nota\n.opus")
    shutil.copy(spoken[1], os.fsencode(folder) + b"/PTT-20230512-\xff.OPUS")
    (folder / "roto.opus").write_bytes(spoken[2].read_bytes()[:100])
    (folder / "leeme.txt").write_text("nada\n")
    said = run(folder, *AGREED)
    assert "3 new notes" in said and "1 of them could not be decoded" in said and "whoever speaks" in said
    by_name = {row.original_name: row for row in origins.read(Path("data/notes"))}
    assert sorted(by_name) == ["-rf; una|nota\\n.opus", "PTT-20230512-\\xff.OPUS", "roto.opus"]
    assert by_name["roto.opus"].duration_s == "" and by_name["PTT-20230512-\\xff.OPUS"].date == "2023-05-12"
    assert by_name["roto.opus"].sender == "Ana Pérez"


def test_a_chat_that_cannot_be_read_is_no_plain_folder(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "chat.zip", spoken, "El doce de mayo dijo Ana: PTT-20230512-WA0001.opus\n")
    assert "no line of it reads like a message" in run(archive, "--sender", "Ana", *AGREED, status=2)
    assert not Path("data").exists()


def test_a_chat_that_may_not_be_opened_is_no_plain_folder_either(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "bomba.zip", spoken, "12/5/23, 17:45 - Ana: ja\n" * 100_000)
    assert "Chat de WhatsApp con Ana.txt: packed more than" in run(archive, "--sender", "Ana", *AGREED, status=2)
    with zipfile.ZipFile(tmp_path / "roto.zip", "w") as file:
        file.writestr("_chat.txt", CHAT)
        file.write(spoken[0], "PTT-20230512-WA0001.opus")
    data = (tmp_path / "roto.zip").read_bytes()
    (tmp_path / "roto.zip").write_bytes(data.replace(b"Beto", b"Bato"))
    assert "_chat.txt: damaged in the zip" in run(tmp_path / "roto.zip", "--sender", "Ana", *AGREED, status=2)
    assert not Path("data").exists()


def test_no_export_is_not_this_folder(repository: Path) -> None:
    assert "which export?" in run("", "--sender", "Ana", *AGREED, status=2)


def test_consent_is_needed_without_a_terminal(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    assert "--consent-speaker" in run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", status=2)
    assert not Path("data").exists()


@pytest.mark.parametrize(("answers", "taken"), [("\ns\n\nsolo en casa\n", True), ("\nno\n", False)])
def test_consent_is_asked_for(repository: Path, spoken: list[Path], tmp_path: Path, answers: str, taken: bool) -> None:
    archive = android(tmp_path / "chat.zip", spoken)
    ours, theirs = pty.openpty()
    call = [sys.executable, "-m", "tools.whatsapp.import_chat", str(archive), "--sender", "Ana Pérez"]
    os.write(ours, answers.encode())
    done = subprocess.run(call, stdin=theirs, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if taken else 2), done.stderr
    if taken:
        agreed = consent.read(Path("data/notes"))
        assert (agreed.speaker, agreed.statement, agreed.scope) == ("Ana Pérez", consent.STATEMENT, "solo en casa")
    else:
        assert "nothing was taken" in done.stderr and not Path("data").exists()


def test_a_second_speaker_is_not_mixed_in(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "chat.zip", spoken)
    run(archive, "--sender", "Ana Pérez", *AGREED)
    assert "--same-speaker" in run(archive, "--sender", "Beto", status=2)
    assert "1 new notes" in run(archive, "--sender", "Beto", "--same-speaker")


def test_notes_that_are_not_checked_out_are_not_replaced(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "chat.zip", spoken)
    run(archive, "--sender", "Ana Pérez", *AGREED)
    shutil.rmtree("data/notes")
    assert "dvc pull data/notes.dvc" in run(archive, "--sender", "Ana Pérez", *AGREED, status=2)


def test_a_path_outside_is_refused(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    assert "outside of the repository" in run(
        android(tmp_path / "chat.zip", spoken), "--notes", tmp_path / "x", "--sender", "Ana Pérez", status=2
    )


def hostile(path: Path, spoken: list[Path]) -> Path:
    """A plain zip of audio with everything in it that must not be taken, and one good note."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(spoken[0], "../../escapado.opus")  # a path out of the folder: its own name does not matter
        file.writestr("bomba.opus", bytes(8 << 20))
        link = zipfile.ZipInfo("enlace.opus")
        link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("programa.sh", "rm -rf /")
    return path


def test_hostile_members(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
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


def test_encrypted_zip_is_refused(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = hostile(tmp_path / "chat.zip", spoken)
    data = bytearray(archive.read_bytes())
    at = data.find(b"PK\x01\x02")  # the central directory's first entry: set the flag that says encrypted
    struct.pack_into("<H", data, at + 8, struct.unpack_from("<H", data, at + 8)[0] | 1)
    archive.write_bytes(data)
    assert "encrypted" in run(archive, *AGREED, status=2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cortado", None])
def test_what_is_no_zip(repository: Path, tmp_path: Path, content: bytes | None) -> None:
    archive = tmp_path / "chat.zip"
    if content is not None:
        archive.write_bytes(content)
    said = run(archive, *AGREED, status=2)
    assert ("no zip" in said) if content is not None else ("no such file" in said)


def test_zip_names_without_the_utf8_flag(tmp_path: Path) -> None:
    archive = tmp_path / "chat.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("NNNNN.opus", b"x")  # patched below: an "ñ" in UTF-8 without the flag, as some phones write it
    archive.write_bytes(archive.read_bytes().replace(b"NNNNN.opus", "niñ1.opus".encode()))
    with export.opened(archive) as source:
        assert [member.name for member in source.members] == ["niñ1.opus"]


def test_consent_record(tmp_path: Path) -> None:
    path = tmp_path / consent.NAME
    with pytest.raises(UserError, match="no consent record"):
        consent.read(tmp_path)
    given = consent.Consent("Ana: Pérez", "2026-05-12", "Sí — de acuerdo #1", "privado")
    consent.write(tmp_path, given)
    assert consent.read(path) == given
    path.write_text("speaker: Ana\ndate: 2026-05-12\nstatement: ''\nscope: privado\n")
    with pytest.raises(UserError, match=r"consent.yaml: statement: '' says nothing"):
        consent.read(tmp_path)
    path.write_text("speaker: Ana\ndate: ayer\nstatement: sí\nscope: privado\n")
    with pytest.raises(UserError, match="'ayer' is no day"):
        consent.read(tmp_path)
    path.write_text("speaker: Ana\nstatement: sí\n")
    with pytest.raises(UserError, match="missing date, scope"):
        consent.read(tmp_path)
    path.write_text("speaker: [Ana\n")
    with pytest.raises(UserError, match="no YAML"):
        consent.read(tmp_path)
