"""What XTTS's tokenizer accepts: which characters, how many tokens, and where to split a text that is too long."""

import re
import unicodedata
from typing import TYPE_CHECKING

from voz.text.reader import punctuation

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # only for the annotations: importing it takes seconds

LANGUAGE = "es"  # Rioplatense is Spanish to XTTS's tokenizer and to Whisper
UNKNOWN_TOKEN = 1  # UNK; coqui's XTTSDataset asserts that no text holds it


def fit(text: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """Replace characters that the base's vocabulary lacks: a letter loses its accent, punctuation becomes a space.

    A letter that is unknown even without its accent is kept; `unknown_characters` reports it.
    """
    return punctuation.tidy("".join(char if char == " " else _known(char, tokenizer) for char in text))


def unknown_characters(text: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """The characters of a text that the tokenizer maps to UNK, each once, in order."""
    return "".join(dict.fromkeys(char for char in text.lower() if not char.isspace() and _is_unknown(char, tokenizer)))


def count_tokens(text: str, tokenizer: "VoiceBpeTokenizer") -> int:
    """Number of tokens of a text, language token included: the length that XTTSDataset compares with `max_text_length`."""
    return len(tokenizer.encode(text, LANGUAGE))


def split_sentences(text: str, limit: int) -> list[str]:
    """Cut a text into parts of at most `limit` characters: at sentence ends, else at commas, else between words.

    A text within the limit stays whole, and each part is as long as possible, because XTTS babbles on one- and two-word texts.

    Raises:
        ValueError: `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit {limit}: must be at least 1")
    text = " ".join(text.split())
    parts = [text]
    for boundary in (r"(?<=[.!?…])\s+", r"(?<=[,;:])\s+", r"\s+"):
        parts = [piece for part in parts for piece in ([part] if len(part) <= limit else _pack(re.split(boundary, part), limit))]
    return [part[at : at + limit] for part in parts for at in range(0, len(part), limit)]


def _pack(pieces: list[str], limit: int) -> list[str]:
    """Join neighbouring pieces while the result has at most `limit` characters."""
    packed = [""]
    for piece in pieces:
        joined = f"{packed[-1]} {piece}".strip()
        if len(joined) <= limit or not packed[-1]:
            packed[-1] = joined
        else:
            packed.append(piece)
    return packed


def _known(char: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """`char` if it is known; else its letter without the accent, or a space for punctuation; else `char`."""
    if not _is_unknown(char.lower(), tokenizer):
        return char
    without_accent = unicodedata.normalize("NFD", char)[0]
    if char.isalnum():
        return char if _is_unknown(without_accent.lower(), tokenizer) else without_accent
    return " "


def _is_unknown(char: str, tokenizer: "VoiceBpeTokenizer") -> bool:
    return UNKNOWN_TOKEN in tokenizer.tokenizer.encode(char).ids
