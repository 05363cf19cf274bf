"""Text normalisation for Rioplatense Spanish: what is written, as it is read aloud.

The result holds no digit and no sign that coqui-tts's own cleaner would change. That cleaner reads `$` as "dolar" and a
decimal comma as "punto", the same for every Spanish-speaking country. Here `$` is pesos, and "14:30 hs" is a time of day.
How each kind of token is read: voz/text/reader.
"""

import re

from voz.text.reader import aloud


def normalize(text: str) -> str:
    """The text for XTTS: one line of letters and plain punctuation, everything else in words. Keeps case; idempotent."""
    return aloud.read(text).text


def spoken(text: str) -> str:
    """The words alone, for comparing texts (error rates, duplicates): lower case, accents kept, single spaces, no punctuation."""
    return words(normalize(text))


def words(said: str) -> str:
    """The same of a text that has been read already."""
    return " ".join(re.findall(r"[^\W\d_]+", said.lower()))
