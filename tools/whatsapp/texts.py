"""Which texts of an export are its chats. A person may have attached other texts, other chats among them."""

from dataclasses import dataclass

from tools.whatsapp import chat, encodings, names
from tools.whatsapp.export import Export, Member
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

MAX_CHAT_BYTES = 64 * 2**20  # WhatsApp exports at most 40 000 messages
_FIX = later("export the chat again; if that does not help, report the first line of the file")


@dataclass(frozen=True)
class ChatText:
    """A text of the export that reads like a chat."""

    member: Member
    encoding: str
    chat: chat.Chat
    named: int  # how many of its attachments are in the export

    @property
    def attached(self) -> set[str]:
        """The keys of the names that it attaches."""
        return {names.file_key(each.name) for each in self.chat.attachments}


def find_chats(export: Export) -> list[ChatText]:
    """The chat of each folder that has one: the text that names the files.

    A text that another chat attaches is not a chat of this export, whatever it holds. Of several in a folder, it is the one
    that names the most files of the export, then the one with the most messages.

    Raises:
        UserError: a text is named like a chat and cannot be read as one, and no other text names the files. Without its chat,
            a folder's audio would be imported whoever sent it.
    """
    found, problems = _read(export)
    attachers = {key: text for text in found for key in text.attached if key.endswith(".txt")}
    found = [text for text in found if not _is_attached(text, attachers)]
    best: dict[str, ChatText] = {}
    for text in sorted(found, key=lambda text: (-text.named, -text.chat.messages, text.member.name)):
        best.setdefault(text.member.folder, text)
    attached = {key for text in best.values() for key in text.attached}
    if not any(text.named for text in best.values()):
        for name, problem in problems:
            if _is_named_like_a_chat(name) and names.file_key(name) not in attached:
                raise UserError("{name}: {problem}", _FIX, name=name, problem=problem)
    return sorted(best.values(), key=lambda text: (text.member.folder, text.member.name))


def _read(export: Export) -> tuple[list[ChatText], list[tuple[str, str]]]:
    """The texts that read like a chat; (name, what is wrong) of the others."""
    existing = {names.file_key(member.name) for member in export.members}
    found: list[ChatText] = []
    problems = [(name, tr(reason)) for name, reason in export.left_out if name.lower().endswith(".txt")]
    for member in export.members:
        chosen = member.name == export.only_chat and member.folder == "."
        if not member.name.lower().endswith(".txt") or (export.only_chat and not chosen):
            continue
        if member.size_bytes > MAX_CHAT_BYTES:
            problems.append((member.name, tr("larger than {most_mb} MB", most_mb=MAX_CHAT_BYTES >> 20)))
            continue
        try:
            text = encodings.decode(export.read(member))
        except UserError as error:
            problems.append((member.name, error.what.removeprefix(f"{member.name}: ")))
            continue
        parsed = chat.parse(text.text)
        named = sum(names.file_key(each.name) in existing for each in parsed.attachments)
        if parsed.messages:
            found.append(ChatText(member, text.encoding, parsed, named))
        else:
            problems.append((member.name, tr("no line of it reads like a message (read as {encoding})", encoding=text.encoding)))
    if export.only_chat and not found:
        name, problem = problems[0]
        raise UserError("{name}: {problem}", _FIX, name=name, problem=problem)
    return found, problems


def _is_attached(text: ChatText, attachers: dict[str, ChatText]) -> bool:
    """True if another text attaches this one. If both attach each other, the one that names more files is the chat."""
    other = attachers.get(names.file_key(text.member.name))
    if other is None or other is text:
        return False
    mutual = names.file_key(other.member.name) in text.attached
    return not mutual or other.named > text.named


def _is_named_like_a_chat(name: str) -> bool:
    """iOS writes `_chat.txt`; Android `Chat de WhatsApp con Ana.txt`, which has WhatsApp in it in every language."""
    return name.lower().endswith(".txt") and ("_chat" in name.lower() or "whatsapp" in name.lower())
