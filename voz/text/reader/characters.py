"""The characters of a text: one spelling of each before anything is read, and only letters and plain punctuation afterwards.

`prepare` writes typographic variants in one way (dashes, quotes, ½, ², full-width and bold letters) and drops pictures. `finish`
drops what no kind of token has read, and says which characters these were.
"""

import re
import unicodedata

PUNCTUATION = ".,;:!?¿¡'()-"
# Signs that the kinds of token read; `finish` drops the ones that stand where nothing reads them.
_READ = frozenset('"$€£¥₿¢%‰&@#°ºª+=<>^√×÷±≈≠≤≥∞π§/*_~[]{}\\')
_SILENT = frozenset('"ºª*_~[]{}<>^\\√')  # brackets and marks that format a text: nobody says them
_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8"}
_SAME = {
    **dict.fromkeys("“”„‟«»‹›", ""),
    **dict.fromkeys("‘’‚‛`´ʼ′", "'"),
    **dict.fromkeys("‐‑‒–—―−⁃", "-"),
    **dict.fromkeys("•·†‡¶→←⇒►▶●○■□◆★☆✓✔✗✘®©™", " "),
    **{char: f" {said}" for char, said in _FRACTIONS.items()},
    "″": '"',
    "…": "...",
    "|": ",",
    "№": "Nº",
    "µ": "μ",
    "∙": "*",
    "⋅": "*",
    "⁄": "/",
    "∕": "/",
    "℃": "°C",
    "℉": "°F",
    "˚": "°",
    "ı": "i",  # Turkish letters: `re.IGNORECASE` takes them for i, but `str.lower` makes other letters of them
    "İ": "I",
}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")


class _Table(dict[int, str]):
    """A table for str.translate that is filled as characters come."""

    def __missing__(self, code: int) -> str:
        self[code] = said = _prepared(chr(code))
        return said


class _Last(dict[int, str]):
    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = said = char if char in PUNCTUATION or char == " " or _is_letter(char) else " "
        return said


def prepare(text: str) -> tuple[str, str]:
    """The text with one spelling of each sign and single spaces, and the pictures (emoji) that were dropped, each once."""
    text = unicodedata.normalize("NFC", text)
    pictures = "".join(dict.fromkeys(char for char in text if _is_picture(char)))
    text = re.sub("[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+", lambda match: "^" + match[0].translate(_SUPERSCRIPTS), text)
    return " ".join(unicodedata.normalize("NFC", text.translate(_PREPARED)).split()), pictures


def finish(text: str) -> tuple[str, str]:
    """The text with letters and plain punctuation alone, and the characters that stood for something and have no reading, each once."""
    unread = (char for char in text if not (char in PUNCTUATION or char.isspace() or char in _SILENT or _is_letter(char)))
    return text.translate(_FINISHED), "".join(dict.fromkeys(unread))


def _prepared(char: str) -> str:
    if char in _SAME:
        return _SAME[char]
    if char.isspace():
        return " "
    if char in PUNCTUATION or char in _READ or _is_letter(char) or (char.isdecimal() and char.isascii()):
        return char
    plain = unicodedata.normalize("NFKC", char)
    if plain != char and plain.strip() and all(each in PUNCTUATION or each.isalnum() or each in _READ for each in plain):
        return "".join(each if not each.isdecimal() else str(int(each)) for each in plain)
    if char.isdecimal():
        return str(int(char))
    category = unicodedata.category(char)
    if category == "Cs":
        return "\ufffd"  # half a character, which no file can hold
    return "" if _is_picture(char) or category in ("Mn", "Me", "Cc", "Cf", "Sk", "Lm") else char


def _is_letter(char: str) -> bool:
    return unicodedata.category(char) in ("Ll", "Lu", "Lt", "Lo") and char not in "ºªπ" and unicodedata.normalize("NFKC", char) == char


def _is_picture(char: str) -> bool:
    return unicodedata.category(char) == "So" and char not in _SAME and char not in _READ and char != "\ufffd" and not _has_plain(char)


def _has_plain(char: str) -> bool:
    """Whether letters or digits stand for a sign in Unicode itself: ① ㎏."""
    return unicodedata.normalize("NFKC", char) != char


_PREPARED, _FINISHED = _Table(), _Last()
