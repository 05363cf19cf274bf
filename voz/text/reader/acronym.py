"""Acronyms: spelled ("DNI" = de ene i) or read as words ("IVA", "AFIP", "ONU").

The rule: a word in capitals of two to five letters is spelled if Spanish syllables cannot form it. It has no vowel (YPF, GPS), begins
with two consonants that begin no word (DNI, PBI, BCRA), or has three letters and ends in two consonants (ADN, UCR, USB).
`_SPELLED` and `_WORDS` hold what people say otherwise. Letters that touch a digit stay as they are (MP3, G20), except on a number
plate and in the number of a flight (AB 123 CD, AR1302).
"""

import re

from voz.text import numerals
from voz.text.reader import measure
from voz.text.reader.rule import Rule, rule, table

_NAMES = table(
    """
    a = a
    b = be
    c = ce
    d = de
    e = e
    f = efe
    g = ge
    h = hache
    i = i
    j = jota
    k = ka
    l = ele
    m = eme
    n = ene
    ñ = eñe
    o = o
    p = pe
    q = cu
    r = erre
    s = ese
    t = te
    u = u
    v = ve
    w = doble ve
    x = equis
    y = i griega
    z = zeta
    """
)
_SPELLED = frozenset("AUH IA SA VIH HIV SUV ART ID".split())
_WORDS = frozenset("CBU CVU GYM".split())  # CBU and CVU stay as the label of the number that follows
_ONSETS = frozenset("bl br ch cl cr dr fl fr gl gr ll pl pr qu gu ps sc sk sl sm sn sp st tr ts".split())
_CODES = frozenset("USD ARS EUR GBP JPY BTC AM PM MM".split())  # of money, hours and multiples
_NUMBER_WORDS = (  # "MP3" has become "MP tres"
    "cero|uno|dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|trece|catorce|quince|dieci\\w+|veint\\w+|treinta|cuarenta"
    "|cincuenta|sesenta|setenta|ochenta|noventa|cien|ciento|\\w+cientos|mil"
)
_VOWELS = "aeiouáéíóúü"


def spell(letters: str) -> str:
    """The names of the letters."""
    return " ".join(_NAMES.get(letter, letter) for letter in letters.lower())


def is_spelled(word: str) -> bool:
    """Whether an acronym is spelled. word: in capitals"""
    if word in _WORDS or word in _SPELLED:
        return word in _SPELLED
    if len(word) > 2 and word[-1] == word[-2]:
        return False  # a drawn-out sound: MMM, SHH, PFF
    return not _can_be_said(word.lower())


def _can_be_said(word: str) -> bool:
    start = re.match(rf"[^{_VOWELS}]*", word)
    consonants = start[0] if start else ""
    if len(consonants) == len(word) or (len(consonants) > 1 and consonants[:2] not in _ONSETS):
        return False
    return not re.fullmatch(rf".[^{_VOWELS}y]{{2}}", word)


def _acronym(match: re.Match[str]) -> str:
    word = match["word"]
    if set(word) <= set("IVX") or word in _CODES or (measure.names(word) and match["digit"]):
        return match[0]
    return f"{match['digit'] or ''} {spell(word)}" if is_spelled(word) else match[0]


def _size(match: re.Match[str]) -> str:
    return re.sub("[SMLX]+", lambda letters: spell(letters[0]), match[0]).replace("/", " ")


def _initials(match: re.Match[str]) -> str:
    """S.R.L. or U.B.A., without its dots: read as the word in capitals is."""
    word = match[0].replace(".", "").replace(" ", "")
    if word in _CODES:
        return match[0]
    stop = "." if match.end() == len(match.string) else ""
    return (spell(word) if is_spelled(word) or len(word) == 2 else word) + stop


def _plate(match: re.Match[str]) -> str:
    first, number, last = match["first"], match["number"], match["last"] or ""
    if first.upper() in _CODES or measure.names(first):
        return match[0]
    return f"{match['label'] or ''}{spell(first)} {numerals.cardinal(number)} {spell(last)}".rstrip()


RULES: tuple[Rule, ...] = (
    rule(r"(?<=\btalle )[SML](?: ?(?:o|u|/|y) ?[SMLX]{1,3})*(?!\w)", _size, case=True),
    rule(
        r"(?P<label>\b(?:patente|dominio|chapa)\W{1,3}(?:es )?)(?P<first>[a-z]{1,3})[ -]?(?P<number>\d{3})[ -]?(?P<last>[a-z]{2,3})?(?!\w)",
        _plate,
    ),
    rule(r"(?P<label>)(?<![\w.-])(?P<first>[A-Z]{2}) ?(?P<number>\d{3}) ?(?P<last>[A-Z]{2})(?![\w-])", _plate, case=True),
    rule(r"(?P<label>)(?<![\w.-])(?P<first>[A-Z]{3}|[A-Z]{2}(?=\d{3}))(?P<number>\d{3,4})(?P<last>)(?![\w.,-]\d|\w)", _plate, case=True),
    rule(r"(?<![\w.])(?:[A-ZÑ]\. ?){1,5}[A-ZÑ]\.(?![\w])", _initials, case=True),
    rule(rf"(?<![^\W\d])(?<!-)(?P<digit>\d ?)?(?P<word>[A-ZÑ]{{2,5}})s?(?![\w-])(?! (?:{_NUMBER_WORDS})\b)", _acronym, case=True),
)
