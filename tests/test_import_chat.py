"""`make notes`: real zips with real Opus notes, imported into a repository with a real DVC."""

import os
import pty
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from pathlib import Path

import pytest
import yaml

from tests import forget_site, whatsapp
from tests.whatsapp import AGREED, CHAT, android, run
from voz.data import consent, corrections, forgotten, notes, origins


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return whatsapp.write_notes(tmp_path_factory.mktemp("spoken"))


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return whatsapp.enter_repository(tmp_path / "repository", monkeypatch)


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
        "1 not attached to any message",
        "1 in the chat but not in the export",
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


def test_a_newer_export_adds_its_new_notes(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
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


def test_a_newer_export_does_not_bring_a_forgotten_note_back(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    zipped = android(tmp_path / "chat.zip", spoken)
    run(zipped, "--sender", "Ana Pérez", *AGREED)
    mine, other = origins.read(Path("data/notes"))
    forget_site.forget(repository, mine.file, "--yes")
    assert not any(digits in Path("data/notes", forgotten.NAME).read_text() for digits in (mine.id, mine.sha256))
    again = tmp_path / "again.opus"  # the same sound in other bytes
    subprocess.run(["ffmpeg", "-v", "error", "-i", spoken[0], "-c", "copy", "-metadata", "title=otra", again], check=True)
    newer = android(tmp_path / "newer.zip", spoken, CHAT + "20/5/23, 10:01 - Ana Pérez: PTT-20230520-WA0012.opus (x)\n")
    with zipfile.ZipFile(newer, "a") as file:
        file.write(again, "PTT-20230520-WA0012.opus")
    said = run(newer, "--sender", "Ana Pérez")
    assert "0 new notes" in said and "1 were there already" in said and "left out: 2 forgotten by `make forget`" in said
    assert origins.read(Path("data/notes")) == [other] and [each.name for each in notes.find(Path("data/notes"))] == [other.file]


def test_audio_files_are_imported_on_request(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", "--audio-files", *AGREED)
    assert "AUD-20230513-WA0004.opus" in [row.original_name for row in origins.read(Path("data/notes"))]


def test_an_unknown_sender_gets_the_list_of_senders(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
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
    assert "1 a link" in said and "1 not a regular file" in said
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


def test_a_chat_that_cannot_be_read_is_not_taken_for_a_plain_folder(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    archive = android(tmp_path / "chat.zip", spoken, "El doce de mayo dijo Ana: PTT-20230512-WA0001.opus\n")
    assert "no line of it reads like a message" in run(archive, "--sender", "Ana", *AGREED, status=2)
    assert not Path("data").exists()


def test_an_empty_path_is_not_the_working_directory(repository: Path) -> None:
    assert "which export?" in run("", "--sender", "Ana", *AGREED, status=2)


def test_consent_is_needed_without_a_terminal(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    assert "--consent-speaker" in run(android(tmp_path / "chat.zip", spoken), "--sender", "Ana Pérez", status=2)
    assert not Path("data").exists()


@pytest.mark.parametrize(("answers", "agrees"), [("\ns\n\nsolo en casa\n", True), ("\nno\n", False)])
def test_consent_is_asked_for(repository: Path, spoken: list[Path], tmp_path: Path, answers: str, agrees: bool) -> None:
    archive = android(tmp_path / "chat.zip", spoken)
    ours, theirs = pty.openpty()
    call = [sys.executable, "-m", "tools.whatsapp.import_chat", str(archive), "--sender", "Ana Pérez"]
    os.write(ours, answers.encode())
    done = subprocess.run(call, stdin=theirs, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if agrees else 2), done.stderr
    if agrees:
        agreed = consent.read(Path("data/notes"))
        assert (agreed.speaker, agreed.statement, agreed.scope) == ("Ana Pérez", consent.STATEMENT, "solo en casa")
    else:
        assert "nothing was imported" in done.stderr and not Path("data").exists()


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


def test_a_path_outside_of_the_repository_is_refused(repository: Path, spoken: list[Path], tmp_path: Path) -> None:
    assert "outside of the repository" in run(
        android(tmp_path / "chat.zip", spoken), "--notes", tmp_path / "x", "--sender", "Ana Pérez", status=2
    )
