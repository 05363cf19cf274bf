"""Texts without accents or punctuation, for finding words whatever their spelling. Needs the standard library alone."""

import re
import unicodedata


def fold(text: str) -> str:
    """The words in lower case without accents or punctuation, single spaces."""
    bare = "".join(char for char in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(char))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def without_accents(text: str) -> str:
    """An NFC text with each letter replaced by the one without accent: same length, and capitals and punctuation stay."""
    return "".join(unicodedata.normalize("NFD", char)[0] for char in text)
