"""Which audio files of an export may be imported, and who sent them."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.whatsapp import chat
from tools.whatsapp.export import Export, Member
from voz.pipeline.command import UserError

EXTENSIONS = {".opus", ".ogg", ".oga", ".m4a", ".mp3", ".aac", ".amr", ".wav", ".flac", ".3gp", ".mp4"}
VOICE_NOTE = re.compile(r"PTT-|.*-AUDIO-", re.IGNORECASE)
AUDIO_FILE = re.compile(r"AUD-", re.IGNORECASE)
MAX_CHAT_BYTES = 64 * 2**20  # WhatsApp exports at most 40 000 messages


@dataclass(frozen=True)
class Candidate:
    """An audio file of an export, with its sender and date from the chat; both empty if unknown."""

    member: Member
    sender: str
    date: str


def read_chats(export: Export) -> dict[str, chat.Chat]:
    """The chat of each folder of the export that has one. Of several texts in a folder, the one with the most messages.

    Raises:
        UserError: a text is named like a chat and cannot be read as one. Without its chat, a folder's audio would be imported
            whoever sent it.
    """
    for name, reason in export.left_out:
        if _named_like_a_chat(name):
            raise UserError(f"{name}: {reason}", "export the chat again")
    chats: dict[str, chat.Chat] = {}
    for member in export.members:
        named_like_a_chat = _named_like_a_chat(member.name)
        too_large = member.size_bytes > MAX_CHAT_BYTES
        if not member.name.lower().endswith(".txt") or (too_large and not named_like_a_chat):
            continue
        parsed = chat.Chat(0, []) if too_large else chat.parse(export.read(member).decode("utf-8-sig", "replace"))
        if named_like_a_chat and not parsed.messages:
            what = f"larger than {MAX_CHAT_BYTES >> 20} MB" if too_large else "no line of it reads like a message"
            raise UserError(f"{member.name}: {what}", "export the chat again; if that does not help, report the first line of the file")
        if parsed.messages > (chats[member.folder].messages if member.folder in chats else 0):
            chats[member.folder] = parsed
    return chats


def find(export: Export, chats: dict[str, chat.Chat], *, audio_files: bool) -> tuple[list[Candidate], Counter[str]]:
    """The audio files that may be imported, and how many files were left out for each reason.

    With a chat: the voice notes that it attaches, and with `audio_files` also its audio files (AUD-*). Without any chat:
    every audio file.
    """
    left_out = Counter(reason for name, reason in export.left_out if extension_of(name))
    audio = [member for member in export.members if extension_of(member.name)]
    if not chats:
        return [Candidate(member, "", _date_in_name(member.name)) for member in audio], left_out
    attached = {(folder, each.name): each for folder, one in chats.items() for each in one.attachments}
    candidates = []
    for member in audio:
        attachment = attached.get((member.folder, member.name))
        if AUDIO_FILE.match(member.name) and not audio_files:
            left_out["audio files, not voice notes (--audio-files takes them)"] += 1
        elif not (VOICE_NOTE.match(member.name) or AUDIO_FILE.match(member.name)):
            left_out["not named like a voice note"] += 1
        elif attachment is None:
            left_out["not attached to any message of the chat"] += 1
        else:
            candidates.append(Candidate(member, attachment.sender, attachment.date))
    existing = {(member.folder, member.name) for member in export.members}
    absent = sum(bool(VOICE_NOTE.match(name)) and (folder, name) not in existing for folder, name in attached)
    if absent:
        left_out["in the chat but not in the export (export it with media)"] += absent
    return candidates, left_out


def of_sender(candidates: list[Candidate], sender: str, where: Path) -> list[Candidate]:
    """The candidates of one sender, by the exact name.

    Args:
        where: the export, for the message.

    Raises:
        UserError: there are none; lists the senders with their numbers of notes.
    """
    wanted = chat.clean_sender(sender)
    chosen = [candidate for candidate in candidates if candidate.sender == wanted]
    if not chosen:
        counts = sorted(Counter(candidate.sender for candidate in candidates).items(), key=lambda pair: (-pair[1], pair[0]))
        senders = ", ".join(f'"{name}" ({count})' for name, count in counts)
        what = f'no voice notes of "{wanted}"' if wanted else "whose voice is it?"
        raise UserError(f"{where}: {what}", f"write SENDER (--sender) as one of: {senders}" if senders else "export the chat with media")
    return chosen


def extension_of(name: str) -> str:
    """The extension in lower case if it is one of `EXTENSIONS`, else empty."""
    extension = Path(name).suffix.lower()
    return extension if extension in EXTENSIONS else ""


def _named_like_a_chat(name: str) -> bool:
    """iOS writes `_chat.txt`; Android `Chat de WhatsApp con Ana.txt`, which has WhatsApp in it in every language."""
    return name.lower().endswith(".txt") and ("_chat" in name.lower() or "whatsapp" in name.lower())


def _date_in_name(name: str) -> str:
    date = chat.date_in_name(name)
    return date.isoformat() if date else ""
