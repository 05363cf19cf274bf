"""What replacements leave behind: stray, doubled and detached punctuation."""

import re

_PAUSE = re.compile(r"(?:[ .,;:!?]|(?<!\w)-|-(?!\w))+")
_APOSTROPHE = re.compile(r"(?<![^\W\d_])'+|(?<=')'+")
_OPENING = re.compile(r"(?<=[¿¡(]) | (?=\))|([¿¡])\1+")
_EMPTY = re.compile(r"\( ?\)|[¿¡(]+\Z")
_START = re.compile(r"^[ .,;:)!?-]+")


def tidy(text: str) -> str:
    """One pause between phrases, single spaces, nothing but words and opening signs at the start."""
    text = _APOSTROPHE.sub("", " ".join(text.split()))
    text = _OPENING.sub(lambda match: match[1] or "", _PAUSE.sub(_pause, text))
    return _START.sub("", _EMPTY.sub("", text)).strip()


def attach(text: str) -> str:
    """The text without the space between a word and the mark after it: "etc ." is "etc."."""
    return re.sub(r"(?<=[^\W\d_]) (?=[.,;:!?](?: |\Z))", "", text)


def _pause(match: re.Match[str]) -> str:
    """One pause of the marks, spaces and dashes between two words: the strongest. A dash that joins no word is a comma."""
    marks = match[0].replace(" ", "")
    asks = re.sub(r"([!?])\1+", r"\1", re.sub("[^!?]", "", marks))
    if asks:
        said = asks
    elif "." in marks:
        said = "..." if "..." in marks else "."
    else:
        said = marks[-1:].replace("-", ",")
    return said + " "
