"""Names in a chat in comparable form: senders and files that look the same must be the same."""

import re
import unicodedata

# Direction marks, isolates, BOM and zero-width space, which WhatsApp inserts. The zero-width joiner stays: it is part of emoji.
_MARKS = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_CONTROLS = dict.fromkeys(code for code in [*range(0x20), *range(0x7F, 0xA0)] if not chr(code).isspace())  # a terminal may obey them
_SPACES = {code: " " for code in range(0x3001) if unicodedata.category(chr(code)) == "Zs"}
_PLAIN = _MARKS | _CONTROLS | _SPACES
_JOINER = "\u200d"
_ALIKE = dict.fromkeys([*range(0x2010, 0x2016), 0x2212], "-") | {0x2018: "'", 0x2019: "'", 0x02BC: "'"}
_PHONE = re.compile(r"\+?[\d\s().\-]{6,}")
MAX_CHARS = 512  # of a sender's or a file's name; composing a long run of accents (NFC) takes quadratic time


def plain(text: str) -> str:
    """The text without invisible marks and control characters, and with every kind of space as a plain space."""
    return text.translate(_PLAIN)


def composed(name: str) -> str:
    """A name in composed form (NFC), as the chat has it; macOS decomposes file names. A longer one than MAX_CHARS stays as it is."""
    return unicodedata.normalize("NFC", name) if len(name) <= MAX_CHARS else name


def clean_sender(sender: str) -> str:
    """A sender's name to show: composed, no marks, single spaces, without the `~` that WhatsApp puts before unsaved contacts."""
    name = " ".join(plain(sender).split())
    return composed(name.lstrip("~ ") or name)  # somebody may be called "~"


def sender_key(sender: str) -> str:
    """Equal for senders that look the same: of a phone number only the digits count, of other names not the kind of dash or quote."""
    name = _alike(clean_sender(sender))
    return "+" + "".join(char for char in name if char.isdigit()) if _PHONE.fullmatch(name) else name


def file_key(name: str) -> str:
    """Equal for file names that differ in upper and lower case, or only look the same (`PTT-1.OPUS`, `PTT-1.opus`)."""
    return " ".join(_alike(plain(name)).casefold().split())


def _alike(name: str) -> str:
    name = unicodedata.normalize("NFKC", name[:MAX_CHARS]).translate(_ALIKE)
    return "".join(char for char in name if char == _JOINER or not _is_invisible(char))


def _is_invisible(char: str) -> bool:
    """True for format characters (soft hyphen, word joiner) and for the marks that choose an emoji's style."""
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
