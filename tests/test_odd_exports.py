"""Exports that went through other hands and programs: which text is the chat, and which file it means. Names are invented."""

import argparse
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tests import recordings, whatsapp
from tests.whatsapp import AGREED, run
from tools.whatsapp import candidates, encodings, export, import_chat, texts
from voz.data import notes, origins, phone_transcripts
from voz.pipeline.command import UserError

NOTE = "PTT-20260312-WA0001.opus"
CHAT = "Chat de WhatsApp con Ana.txt"
LINE = f"12/3/26, 17:45 - Ana: {NOTE} (archivo adjunto)\n"


def archive(path: Path, files: dict[str, bytes | str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return path


def chosen(path: Path, sender: str = "Ana", *, audio_files: bool = False) -> tuple[list[candidates.Candidate], Counter[str]]:
    with export.opened(path) as source:
        found, left_out, _ = import_chat.choose(source, argparse.Namespace(export=str(path), sender=sender, audio_files=audio_files))
    return found, left_out


def imported(path: Path, sender: str = "Ana", *, audio_files: bool = False) -> list[str]:
    """The names of the files that would be imported, with their folders."""
    return [f"{each.member.folder}/{each.member.name}" for each in chosen(path, sender, audio_files=audio_files)[0]]


def test_a_zip_made_again_on_a_mac(tmp_path: Path) -> None:
    files = {
        "Chat/_chat.txt": LINE,
        f"Chat/{NOTE}": b"x",
        "__MACOSX/Chat/.__chat.txt": b"\0\5\x16\7",
        f"__MACOSX/Chat/._{NOTE}": b"\0\5\x16\7",
    }
    assert imported(archive(tmp_path / "a.zip", files)) == [f"Chat/{NOTE}"]
    assert imported(archive(tmp_path / "b.zip", {f"._{NOTE}": b"\0", NOTE: b"x", ".DS_Store": b"\0"})) == [f"./{NOTE}"]


@pytest.mark.parametrize("name", ["Chat de WhatsApp con Carla.txt", "lista whatsapp.txt", "_chat.txt"])
@pytest.mark.parametrize(
    "text", [f"1/2/26, 10:00 - Carla: {NOTE} (archivo adjunto)\n" + "1/2/26, 10:01 - Carla: ja\n" * 20, "Ana\nBeto\n", ""]
)
@pytest.mark.parametrize("folder", ["", "Media/"])
def test_a_text_that_the_chat_attaches_is_not_the_chat(tmp_path: Path, name: str, text: str, folder: str) -> None:
    chat = f"{LINE}12/3/26, 17:46 - Beto: {name} (archivo adjunto)\n"
    (found,), _ = chosen(archive(tmp_path / "a.zip", {CHAT: chat, f"{folder}{name}": text, NOTE: b"x"}))
    assert found.sender == "Ana"


def test_of_two_chats_in_a_folder_the_one_that_names_the_files(tmp_path: Path) -> None:
    files = {CHAT: LINE, "otro chat de WhatsApp.txt": "1/2/26, 10:01 - Carla: ja\n" * 20, NOTE: b"x"}
    assert imported(archive(tmp_path / "a.zip", files)) == [f"./{NOTE}"]
    with pytest.raises(UserError, match="no line of it reads like a message"):
        imported(archive(tmp_path / "b.zip", {CHAT: "Ana escribió algo\n", "notas.txt": "1/2/26, 10:01 - Carla: ja\n", NOTE: b"x"}))


@pytest.mark.parametrize("name", ["PTT-20260312-WA0001.OPUS", "ptt-20260312-wa0001.opus", "PTT\u201120260312\u2011WA0001.opus"])
def test_a_file_name_that_only_looks_the_same(tmp_path: Path, name: str) -> None:
    assert imported(archive(tmp_path / "a.zip", {CHAT: LINE, name: b"x"})) == [f"./{name}"]
    both = archive(tmp_path / "b.zip", {CHAT: LINE, name: b"x", NOTE: b"y"})
    assert imported(both) == [f"./{NOTE}"]


@pytest.mark.parametrize("written", ["+54\u00a09\u00a011\u00a05555\u20110101", "\u202a+54 9 11 5555‑0101\u202c", "+54\u202f9 11 5555-0101"])
def test_a_number_with_other_spaces_and_hyphens(tmp_path: Path, written: str) -> None:
    zipped = archive(tmp_path / "a.zip", {CHAT: LINE.replace("Ana", written), NOTE: b"x"})
    for sender in ("+54 9 11 5555-0101", written, "+5491155550101"):
        assert imported(zipped, sender) == [f"./{NOTE}"]
    with pytest.raises(UserError, match="no voice notes of"):
        imported(zipped, "+54 9 11 5555-0102")


@pytest.mark.parametrize(
    ("encoding", "read_as"),
    [("utf-16", "utf-16"), ("utf-16-le", "utf-16-le"), ("utf-16-be", "utf-16-be"), ("latin-1", "windows-1252"), ("utf-8-sig", "utf-8")],
)
def test_encodings(tmp_path: Path, encoding: str, read_as: str) -> None:
    text = LINE.replace("Ana", "Ana Pérez")
    assert encodings.decode(text.encode(encoding)) == (text, read_as)
    assert imported(archive(tmp_path / "a.zip", {CHAT: text.encode(encoding), NOTE: b"x"}), "Ana Pérez") == [f"./{NOTE}"]


def test_a_damaged_byte_does_not_make_utf8_another_encoding() -> None:
    text, encoding = encodings.decode("Ana Pérez: mañana él irá".encode().replace(b"m", b"\xff"))
    assert encoding == "utf-8" and text.startswith("Ana Pérez: \ufffda")


def test_the_text_or_the_unpacked_folder_in_place_of_the_zip(tmp_path: Path) -> None:
    for name, folder in (("flat", "."), ("media", "Media")):
        unpacked = tmp_path / name
        (unpacked / folder / "deeper" / "still").mkdir(parents=True)
        (unpacked / CHAT).write_text(LINE)
        (unpacked / folder / NOTE).write_bytes(b"x")
        (unpacked / "WhatsApp con Carla.txt").write_text(LINE.replace("Ana", "Carla") * 20)  # another export, in the same downloads
        assert imported(unpacked / CHAT) == [f"{folder}/{NOTE}"]
        (unpacked / "WhatsApp con Carla.txt").unlink()
        assert imported(unpacked) == [f"{folder}/{NOTE}"]
    (tmp_path / "notas.txt").write_text("hola\n")
    with pytest.raises(UserError, match=r"notas.txt: no line of it reads like a message"):
        imported(tmp_path / "notas.txt")


def test_media_in_a_subfolder(tmp_path: Path) -> None:
    assert imported(archive(tmp_path / "a.zip", {CHAT: LINE, f"Media/Voice Notes/{NOTE}": b"x"})) == [f"Media/Voice Notes/{NOTE}"]
    assert imported(archive(tmp_path / "b.zip", {f"texto/{CHAT}": LINE, f"audios/{NOTE}": b"x"})) == [f"audios/{NOTE}"]
    two = archive(
        tmp_path / "c.zip",
        {CHAT: LINE + LINE.replace("01.opus", "02.opus"), f"a/{NOTE}": b"x", f"b/{NOTE}": b"y", NOTE.replace("01.", "02."): b"z"},
    )
    found, left_out = chosen(two)
    assert [each.member.name for each in found] == ["PTT-20260312-WA0002.opus"] and left_out["of the same name in several folders"] == 2
    nested = archive(tmp_path / "d.zip", {CHAT: LINE, f"otro/{CHAT}": LINE.replace("Ana", "Beto"), f"otro/{NOTE}": b"x"})
    assert [each.sender for each in chosen(nested, "Beto")[0]] == ["Beto"]


@pytest.mark.parametrize("name", ["AUD-20260312-WA0001.opus", "audio nuevo.mp3", "grabación.m4a"])
def test_nothing_found_says_what_was_left_out_and_which_option_takes_it(tmp_path: Path, name: str) -> None:
    zipped = archive(tmp_path / "a.zip", {CHAT: LINE.replace(NOTE, name), name: b"x", "VID-20260312-WA0002.mp4": b"x"})
    with pytest.raises(UserError, match=r'no voice notes of "Ana" \(left out: 1 audio files.*AUDIO_FILES=1.*1 not attached') as raised:
        imported(zipped)
    assert "\n" not in str(raised.value)
    assert imported(zipped, audio_files=True) == [f"./{name}"]


def test_videos_are_not_taken_as_audio_files(tmp_path: Path) -> None:
    video = "VID-20260312-WA0002.mp4"
    zipped = archive(tmp_path / "a.zip", {CHAT: LINE + LINE.replace(NOTE, video), NOTE: b"x", video: b"x"})
    found, left_out = chosen(zipped, audio_files=True)
    assert [each.member.name for each in found] == [NOTE] and left_out["videos"] == 1


def test_a_transcript_beside_a_note_is_kept_as_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    chat = f"{LINE}Che, ¿venís?\nDale.\n" + LINE.replace("0001", "0002") + LINE.replace("0001", "0003")
    second = recordings.wav(recordings.pcm()[:32_000])
    files = {CHAT: chat, NOTE: recordings.note(), NOTE.replace("0001", "0002"): second, "PTT-20260312-WA0002.txt": "Otra cosa.\n"}
    run(archive(tmp_path / "a.zip", files), "--sender", "Ana", *AGREED)
    folder = Path("data/notes")
    ids = {row.original_name: row.id for row in origins.read(folder)}
    assert phone_transcripts.read(folder) == {ids[NOTE]: "Che, ¿venís? Dale.", ids[NOTE.replace("0001", "0002")]: "Otra cosa."}
    assert phone_transcripts.NAME not in [each.name for each in notes.find(folder)]


def test_a_transcript_belongs_to_the_note_that_the_folder_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same sound in another file is not added: its transcript is that of the note that is there."""
    whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    pcm = recordings.pcm()[:32_000]
    first, again = recordings.wav(pcm), recordings.wav(pcm) + b"\0\0"
    other = NOTE.replace("0001", "0002")
    chat = LINE + LINE.replace(NOTE, other) + "Che, ¿venís?\n"
    run(archive(tmp_path / "a.zip", {CHAT: chat, NOTE: first, other: again}), "--sender", "Ana", *AGREED)
    (row,) = origins.read(Path("data/notes"))
    assert phone_transcripts.read(Path("data/notes")) == {row.id: "Che, ¿venís?"}


def test_transcripts_of_the_same_name_in_two_folders(tmp_path: Path) -> None:
    files = {f"{folder}/{name}": data for folder in "ab" for name, data in ((CHAT, LINE), (NOTE, b"x"), (f"{NOTE}.txt", f"texto {folder}"))}
    found, _ = chosen(archive(tmp_path / "a.zip", files))
    assert [(each.member.folder, each.transcript) for each in found] == [("a", "texto a"), ("b", "texto b")]


def test_a_sender_called_like_the_mark_of_unsaved_contacts(tmp_path: Path) -> None:
    zipped = archive(tmp_path / "a.zip", {CHAT: LINE.replace("Ana", "~"), NOTE: b"x"})
    with pytest.raises(UserError, match=r'whose voice is it.*"~" \(1\)'):
        imported(zipped, sender="")
    assert imported(zipped, sender="~") == [f"./{NOTE}"]


def test_a_note_that_a_person_put_into_the_folder_is_not_copied_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    Path("data/notes").mkdir(parents=True)
    Path("data/notes/HOLA.OPUS").write_bytes(recordings.note())
    run(archive(tmp_path / "a.zip", {CHAT: LINE, NOTE: recordings.note()}), "--sender", "Ana", *AGREED)
    assert sorted(path.name for path in Path("data/notes").glob("*.[oO]*")) == ["HOLA.OPUS"]


def test_what_was_left_out_is_said_in_the_users_language(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOZ_LANG", "es")
    monkeypatch.setattr(texts, "MAX_CHAT_BYTES", 2**20)
    (tmp_path / CHAT).write_bytes(b"a" * (2**20 + 1))
    (tmp_path / NOTE).write_bytes(b"x")
    with pytest.raises(UserError, match=r"Ana\.txt: más de 1 MB"):
        imported(tmp_path)


def test_odd_notes_do_not_stop_the_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    tagged = recordings.encoded("ipod", "aac", recordings.pcm()[:16_000]).replace(b"Lavf", b"\xcdavf")
    contents = [recordings.inverted(), tagged, b"input,item,o.297,,\n14moov96", recordings.note()]
    folder = tmp_path / "audios"
    folder.mkdir()
    for number, data in enumerate(contents):
        (folder / f"{number}.m4a").write_bytes(data)
    said = run(folder, *AGREED)
    assert "3 new notes" in said and "1 were there already" in said  # the inverted one sounds like the last one
    assert "1 of them could not be decoded" in said


def test_an_export_in_the_repository_is_warned_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = whatsapp.enter_repository(tmp_path / "repository", monkeypatch)
    run(archive(repository / "chat.zip", {CHAT: LINE, NOTE: recordings.note()}), "--sender", "Ana", *AGREED)
    assert "lies in the repository" in capsys.readouterr().err
    shutil.move("chat.zip", tmp_path)
    run(tmp_path / "chat.zip", "--sender", "Ana")
    assert capsys.readouterr().err.count("lies in the repository") == 0


def test_a_member_that_begins_before_the_zip_is_left_out(tmp_path: Path) -> None:
    whole = archive(tmp_path / "a.zip", {CHAT: LINE, NOTE: b"x"})
    whole.write_bytes(whole.read_bytes()[1:])
    with export.opened(whole) as source:
        assert [name for name, _ in source.left_out] == [CHAT] and [each.name for each in source.members] == [NOTE]


def test_a_member_whose_own_header_has_another_name_is_damaged(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"ñ.opus": b"x"})
    data = path.read_bytes()
    path.write_bytes(data.replace("ñ".encode(), b"\xff\xff", 1))  # the first is the member's header, the second the zip's list
    with export.opened(path) as source, pytest.raises(export.Damaged):
        source.copy(source.members[0], tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_member_without_a_name_is_none(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"q": b"x", NOTE: b"x"})
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\1\2")
    data[at + 28], data[at + 46 : at + 47] = 0, b""  # of the first entry of the list: the length of its name, and its name
    end = data.index(b"PK\5\6")
    data[end + 12] -= 1  # bytes of the list
    path.write_bytes(data)
    with export.opened(path) as source:
        assert [each.name for each in source.members] == [NOTE]
