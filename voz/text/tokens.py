"""What XTTS's tokenizer can take of a text: its characters, its length in tokens, and where to split a longer one."""

import re
import unicodedata
from typing import TYPE_CHECKING

from voz.text import normalize

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer  # importing it takes seconds, and only the tokenizers passed in are used

LANGUAGE = "es"  # Rioplatense is Spanish to XTTS's tokenizer and to Whisper
UNKNOWN_TOKEN = 1  # XTTSDataset asserts that a text holds none


def fit(text: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """Drop what a base's vocabulary lacks and a voice does not say: punctuation goes, a foreign accent leaves its letter.

    A letter that stays unknown is kept, for `problems` to name.
    """
    return normalize.tidy("".join(c if c == " " else _known(c, tokenizer) for c in text))


def unknown_characters(text: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """The characters of a text that the tokenizer reads as UNK, each once, in order."""
    return "".join(dict.fromkeys(c for c in text.lower() if not c.isspace() and _is_unknown(c, tokenizer)))


def count_tokens(text: str, tokenizer: "VoiceBpeTokenizer") -> int:
    """Length of a text for the model, language token included: what XTTSDataset holds against `max_text_length`."""
    return len(tokenizer.encode(text, LANGUAGE))


def split_sentences(text: str, limit: int) -> list[str]:
    """Cut a text into parts of at most `limit` characters: at sentence ends, else at commas, else between words.

    A text within the limit stays whole, and parts are as long as they may be: one- and two-word texts make XTTS babble.

    Raises:
        ValueError: `limit` is below 1.
    """
    if limit < 1:
        raise ValueError(f"limit {limit}: not a length")
    text = " ".join(text.split())
    parts = [text]
    for boundary in (r"(?<=[.!?…])\s+", r"(?<=[,;:])\s+", r"\s+"):
        parts = [piece for part in parts for piece in ([part] if len(part) <= limit else _pack(re.split(boundary, part), limit))]
    return [part[at : at + limit] for part in parts for at in range(0, len(part), limit)]


def _pack(pieces: list[str], limit: int) -> list[str]:
    """Join neighbours as long as they fit."""
    packed = [""]
    for piece in pieces:
        joined = f"{packed[-1]} {piece}".strip()
        if len(joined) <= limit or not packed[-1]:
            packed[-1] = joined
        else:
            packed.append(piece)
    return packed


def _known(c: str, tokenizer: "VoiceBpeTokenizer") -> str:
    """`c`, or what stands in for it: the letter without its accent, nothing for punctuation, itself if all is unknown."""
    if not _is_unknown(c.lower(), tokenizer):
        return c
    bare = unicodedata.normalize("NFD", c)[0]
    if c.isalnum():
        return c if _is_unknown(bare.lower(), tokenizer) else bare
    return " "


def _is_unknown(c: str, tokenizer: "VoiceBpeTokenizer") -> bool:
    return UNKNOWN_TOKEN in tokenizer.tokenizer.encode(c).ids
