"""Which audio of an export may be taken, and whose it is."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools.whatsapp import chat, export
from voz.pipeline.command import UserError

EXTENSIONS = {".opus", ".ogg", ".oga", ".m4a", ".mp3", ".aac", ".amr", ".wav", ".flac", ".3gp", ".mp4"}
VOICE_NOTE = re.compile(r"PTT-|.*-AUDIO-", re.IGNORECASE)
MAX_CHAT_BYTES = 64 * 2**20  # WhatsApp exports at most 40 000 messages
AUDIO_FILE = re.compile(r"AUD-", re.IGNORECASE)


@dataclass(frozen=True)
class Offer:
    """An audio file of an export, with what the chat says of it."""

    member: export.Member
    sender: str
    date: str


def chats_of(source: export.Source) -> dict[str, chat.Chat]:
    """The chat of each folder of the export that has one: of its texts, the one with most messages.

    Raises:
        UserError: a text named like a chat holds no line that reads like one (its notes would be taken as anybody's).
    """
    found: dict[str, chat.Chat] = {}
    for name, reason in source.left_out:
        if _named_like_a_chat(name):
            raise UserError(f"{name}: {reason}", "export the chat again")
    for member in source.members:
        like = _named_like_a_chat(member.name)
        if not member.name.lower().endswith(".txt") or (member.size_bytes > MAX_CHAT_BYTES and not like):
            continue
        fits = member.size_bytes <= MAX_CHAT_BYTES
        parsed = chat.parse(source.read(member).decode("utf-8-sig", "replace")) if fits else chat.Chat(0, [])
        if like and not parsed.lines:
            what = "no line of it reads like a message" if fits else f"larger than {MAX_CHAT_BYTES >> 20} MB"
            raise UserError(f"{member.name}: {what}", "export the chat again; report its first line if it stays so")
        if parsed.lines > (found[member.folder].lines if member.folder in found else 0):
            found[member.folder] = parsed
    return found


def find(source: export.Source, chats: dict[str, chat.Chat], *, audio_files: bool) -> tuple[list[Offer], Counter[str]]:
    """The audio that may be taken, and how many files were left out for which reason.

    With a chat: the voice notes (and, if asked, audio files) that a line names. Without any: every file of audio.
    """
    left_out = Counter(reason for name, reason in source.left_out if extension_of(name))
    audio = [member for member in source.members if extension_of(member.name)]
    if not chats:
        return [Offer(member, "", _day(member.name)) for member in audio], left_out
    named = {(folder, each.name): each for folder, one in chats.items() for each in one.attachments}
    offers = []
    for member in audio:
        attachment = named.get((member.folder, member.name))
        if AUDIO_FILE.match(member.name) and not audio_files:
            left_out["audio files, not voice notes (--audio-files takes them)"] += 1
        elif not (VOICE_NOTE.match(member.name) or AUDIO_FILE.match(member.name)):
            left_out["not named like a voice note"] += 1
        elif attachment is None:
            left_out["named by no line of the chat"] += 1
        else:
            offers.append(Offer(member, attachment.sender, attachment.date))
    there = {(member.folder, member.name) for member in source.members}
    absent = sum(bool(VOICE_NOTE.match(name)) and (folder, name) not in there for folder, name in named)
    if absent:
        left_out["named by the chat but not in the export (export it with media)"] += absent
    return offers, left_out


def of_sender(offers: list[Offer], sender: str, where: Path) -> list[Offer]:
    """The offers of one sender, by the exact name.

    Raises:
        UserError: nobody of that name; lists who is there and with how many notes.
    """
    wanted = chat.clean(sender)
    mine = [offer for offer in offers if offer.sender == wanted]
    if not mine:
        counts = sorted(Counter(offer.sender for offer in offers).items(), key=lambda pair: (-pair[1], pair[0]))
        who = ", ".join(f'"{name}" ({count})' for name, count in counts)
        what = f'no voice notes of "{wanted}"' if wanted else "whose voice is it?"
        raise UserError(f"{where}: {what}", f"write SENDER (--sender) as one of: {who}" if who else "export the chat with media")
    return mine


def _named_like_a_chat(name: str) -> bool:
    """iOS writes `_chat.txt`, Android `Chat de WhatsApp con Ana.txt`, with WhatsApp in it in every language."""
    return name.lower().endswith(".txt") and ("_chat" in name.lower() or "whatsapp" in name.lower())


def extension_of(name: str) -> str:
    """The extension in lower case, or "" where it is none of `EXTENSIONS`."""
    extension = Path(name).suffix.lower()
    return extension if extension in EXTENSIONS else ""


def _day(name: str) -> str:
    day = chat.day_of(name)
    return day.isoformat() if day else ""
