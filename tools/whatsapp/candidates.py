"""Which audio files of an export may be imported, and who sent them."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.whatsapp import chat, encodings, names
from tools.whatsapp.export import Export, Member
from tools.whatsapp.texts import ChatText
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

EXTENSIONS = {".opus", ".ogg", ".oga", ".m4a", ".mp3", ".aac", ".amr", ".wav", ".flac", ".3gp", ".mp4"}
VIDEO_EXTENSIONS = {".3gp", ".mp4"}
VOICE_NOTE = re.compile(r"PTT-|.*-(AUDIO|PTT)-|WhatsApp Ptt ", re.IGNORECASE)
AUDIO_FILE = re.compile(r"AUD-", re.IGNORECASE)
OTHER_SENDERS = later("of other senders")
AUDIO_FILES = later("audio files, not voice notes (AUDIO_FILES=1, --audio-files, takes them)")
MAX_TRANSCRIPT_BYTES = 2**20


@dataclass(frozen=True)
class Candidate:
    """An audio file of an export, with its sender and date from the chat; both empty if unknown."""

    member: Member
    sender: str
    date: str
    transcript: str = ""  # of a voice note: the phone's own, if the export has one

    @property
    def is_voice_note(self) -> bool:
        """False for other audio, which is often somebody else's: forwarded, or music."""
        return _is_voice_note(self.member.name)


def find(export: Export, chats: list[ChatText]) -> tuple[list[Candidate], Counter[str]]:
    """The audio files that the chats attach, or all audio files if there is no chat; how many were left out for each reason."""
    left_out = Counter(reason for name, reason in export.left_out if extension_of(name))
    audio = [member for member in export.members if extension_of(member.name)]
    if not chats:
        return [Candidate(member, "", _date_in_name(member.name)) for member in audio], left_out
    texts = {(member.folder, member.name.lower()): member for member in export.members if member.name.lower().endswith(".txt")}
    files = _Files(audio)
    candidates: dict[Member, Candidate] = {}
    ambiguous: set[Member] = set()
    for text in sorted(chats, key=lambda text: -len(PurePosixPath(text.member.folder).parts)):  # a file belongs to the chat nearest to it
        for attachment in text.chat.attachments:
            members = files.attached(text.member.folder, attachment.name, anywhere=len(chats) == 1)
            if len(members) > 1:
                ambiguous |= set(members)
            elif members:
                transcript = ""
                if _is_voice_note(attachment.name):  # other messages have captions
                    transcript = attachment.text or _transcript_beside(export, texts, members[0])
                candidates.setdefault(members[0], Candidate(members[0], attachment.sender, attachment.date, transcript))
            elif _is_voice_note(attachment.name) and extension_of(attachment.name):
                left_out[later("in the chat but not in the export (export it with media)")] += 1
    found = [each for each in candidates.values() if not _is_video(each.member.name)]
    left_out[later("videos")] += len(candidates) - len(found)
    left_out[later("of the same name in several folders")] += len(ambiguous - candidates.keys())
    left_out[later("not attached to any message of the chat")] += len(set(audio) - ambiguous - candidates.keys())
    return found, left_out


def of_sender(found: list[Candidate], sender: str, left_out: Counter[str], where: Path, *, audio_files: bool) -> list[Candidate]:
    """The candidates of one sender, by the name in the chat; the others are added to `left_out`.

    Args:
        audio_files: take audio that is not a voice note too.
        where: the export, for the message.

    Raises:
        UserError: there are none; says what was left out and why, and lists the senders with their numbers of notes.
    """
    offered = [each for each in found if audio_files or each.is_voice_note]
    wanted = names.sender_key(sender)
    mine = [each for each in found if wanted and names.sender_key(each.sender) == wanted]
    chosen = [each for each in mine if audio_files or each.is_voice_note]
    left_out[OTHER_SENDERS] += len(offered) - len(chosen)
    left_out[AUDIO_FILES] += len(mine) - len(chosen) if mine else len(found) - len(offered)
    if chosen:
        return chosen
    shown = names.clean_sender(sender)
    what = tr('no voice notes of "{sender}"', sender=shown) if shown else tr("whose voice is it?")
    raise UserError(
        "{where}: {what}{left_out}", "{fix}", where=where, what=what, left_out=summary(left_out), fix=_advice(mine, offered, found)
    )


def summary(left_out: Counter[str]) -> str:
    """The counts in one line, to append to a message; empty if nothing was left out."""
    counts = [f"{count} {tr(reason)}" for reason, count in sorted(left_out.items()) if count]
    return tr(" (left out: {counts})", counts=", ".join(counts)) if counts else ""


def extension_of(name: str) -> str:
    """The extension in lower case if it is one of `EXTENSIONS`, else empty."""
    extension = Path(name).suffix.lower()
    return extension if extension in EXTENSIONS else ""


class _Files:
    """The audio files of an export, by name. Upper and lower case differ only where that is needed to tell two apart."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._by_key: dict[str, list[Member]] = {}
        for member in members:
            self._by_key.setdefault(names.file_key(member.name), []).append(member)

    def attached(self, folder: str, name: str, *, anywhere: bool) -> list[Member]:
        """The files that a chat in `folder` means by `name`: beside it, else below it, else (`anywhere`) in any folder."""
        alike = self._by_key.get(names.file_key(name), [])
        for near in (
            [member for member in alike if member.folder == folder],
            [member for member in alike if PurePosixPath(member.folder).is_relative_to(folder)],
            alike if anywhere else [],
        ):
            if near:
                return [member for member in near if member.name == name] or near
        return []


def _advice(mine: list[Candidate], offered: list[Candidate], found: list[Candidate]) -> str:
    """What to do if there is nothing to import."""
    if mine:
        return tr("AUDIO_FILES=1 (--audio-files) takes audio files too: make sure that they are of this speaker")
    counts = sorted(Counter(each.sender for each in offered or found).items(), key=lambda pair: (-pair[1], pair[0]))
    senders = ", ".join(f'"{name}" ({count})' for name, count in counts)
    if not senders:
        return tr("export the chat with media")
    return tr("write SENDER (--sender) as one of: {senders}", senders=senders) + ("" if offered else tr("; and AUDIO_FILES=1"))


def _transcript_beside(export: Export, texts: dict[tuple[str, str], Member], audio: Member) -> str:
    """The text of a file that is named like the note (`PTT-1.txt`, `PTT-1.opus.txt`) and lies beside it; else empty."""
    for name in (f"{Path(audio.name).stem}.txt", f"{audio.name}.txt"):
        member = texts.get((audio.folder, name.lower()))
        if member is not None and member.size_bytes <= MAX_TRANSCRIPT_BYTES:
            try:
                return " ".join(encodings.decode(export.read(member)).text.split())[: chat.MAX_TEXT_CHARS]
            except UserError:  # damaged: it is only a hint
                return ""
    return ""


def _is_voice_note(name: str) -> bool:
    return bool(VOICE_NOTE.match(names.file_key(name)))


def _is_video(name: str) -> bool:
    return Path(name).suffix.lower() in VIDEO_EXTENSIONS and not (_is_voice_note(name) or AUDIO_FILE.match(names.file_key(name)))


def _date_in_name(name: str) -> str:
    date = chat.date_in_name(name)
    return date.isoformat() if date else ""
