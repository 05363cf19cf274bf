"""What every kind of token is made of: a pattern and what is said for a match."""

import re
from collections.abc import Callable
from dataclasses import dataclass

LETTER = r"[^\W\d_]"
# With its thousands and decimal marks; it begins and ends once, so that a search stays linear. No possessive group: before Python 3.11.5
# one that fails halfway keeps what it has read (https://github.com/python/cpython/issues/106052), and a comma was lost.
NUMBER = r"(?<!\d)(?<!\d[.,])\d++(?:[.,]\d++)*(?![.,]\d)"
SIGNED = rf"(?:(?<![\w)-])-(?=\d))?{NUMBER}"
MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre")
# The dot of an abbreviation, unless it also ends the sentence: at the end of the text, or before a capital.
DOT = r"(?:\.(?=\s?(?:[a-záéíóúüñ\d(+-]|[,;:!?)/]))(?!\.))?"


@dataclass(frozen=True)
class Rule:
    """Replaces each match of `pattern` by what `read` returns."""

    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], str]

    def __call__(self, text: str) -> str:
        return self.pattern.sub(self.read, text)


def rule(pattern: str, read: Callable[[re.Match[str]], str] | str, *, case: bool = False) -> Rule:
    """A rule. `read` may be a replacement with group references; case matters if `case`."""
    said = (lambda match: match.expand(read)) if isinstance(read, str) else read
    return Rule(re.compile(pattern, 0 if case else re.IGNORECASE), said)


def table(lines: str) -> dict[str, str]:
    """The lines `short, other short = what is said` as a dictionary with a key per short form, in lower case."""
    pairs = (line.split(" = ") for line in lines.strip().splitlines())
    return {short.strip().lower(): said.strip() for shorts, said in pairs for short in shorts.split(",")}
