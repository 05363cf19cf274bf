"""Fractions: 1/2 kilo, 2 1/2 kilos, 3/4, 1/3 de taza; and marks like 8/10."""

import re

from voz.text import numerals
from voz.text.gender import FUNCTION_WORDS, is_feminine
from voz.text.reader import measure
from voz.text.reader.rule import LETTER, Rule, rule

_DENOMINATORS = ("", "", "medio", "tercio", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo")
_SIMPLE = "1/2|1/3|2/3|1/4|3/4"  # without an article before them these are fractions, other pairs are dates
_BEGIN, _END = r"(?<![\w/.,-])", r"(?![\d/]|[.,-]\d)"
_NOUN = rf"(?P<space> ?)(?P<noun>{LETTER}+[²³]?)(?!\w)(?P<dot>\.(?=\s?[a-záéíóú,;:]))?"
_MARKS = r"(?P<label>\b(?:notas?|puntajes?|calificaci[oó]n|saqu[eé]|sac[oó]|un|fue|doy|de|rating|puntuaci[oó]n)\b:? (?:un )?)"


def _of(noun: str) -> tuple[str, str]:
    """Singular and plural of what a fraction is of: a unit's names, or the noun itself."""
    return measure.names(noun) or (noun, noun)


def fraction(top: str, bottom: str, *, feminine: bool = False) -> str:
    """ "medio", "un cuarto", "dos tercios"; "media" before a feminine noun."""
    upper, lower = int(top), int(bottom)
    if (upper, lower) == (1, 2):
        return "media" if feminine else "medio"
    if lower < len(_DENOMINATORS):
        name = _DENOMINATORS[lower]
    elif lower in (100, 1000):
        name = "centésimo" if lower == 100 else "milésimo"
    else:
        name = f"{numerals.cardinal(bottom).replace(' y ', 'i').replace(' ', '').rstrip('aeo')}avo"
    return numerals.counted(str(upper), name, name + "s")


def _mixed(match: re.Match[str]) -> str:
    """2 1/2 kilos: dos kilos y medio."""
    whole, top, bottom = match["whole"], match["top"], match["bottom"]
    if not _is_proper(top, bottom):
        return match[0]
    noun = match["noun"] or ""
    if not noun or noun.lower() in FUNCTION_WORDS:
        rest = match[0][match.end("bottom") - match.start() :]
        return f"{numerals.cardinal(whole)} y {fraction(top, bottom).removeprefix('un ')}{rest}"
    one, more = _of(noun)
    part = fraction(top, bottom, feminine=is_feminine(one.split()[0])).removeprefix("un ")
    return f"{numerals.cardinal(whole, noun=more.split()[0])} {one if int(whole) == 1 else more} y {part}"


def _and_half(match: re.Match[str]) -> str:
    """2 hs y 1/2: dos horas y media."""
    one = _of(match["noun"])[0]
    return match["whole"] + fraction("1", "2", feminine=is_feminine(one.split()[0]))


def _is_proper(top: str, bottom: str) -> bool:
    return 0 < int(top) < int(bottom) and int(bottom) > 1


def _with_noun(match: re.Match[str]) -> str:
    """1/2 kilo: medio kilo; 1/4 kg de pan: un cuarto de kilo de pan."""
    top, bottom, noun = match["top"], match["bottom"], match["noun"]
    known = measure.names(noun)
    simple = re.fullmatch(_SIMPLE, f"{top}/{bottom}")
    if not _is_proper(top, bottom) or not (simple or known) or noun.lower() in FUNCTION_WORDS:
        return match[0]
    one = _of(noun)[0]
    said = fraction(top, bottom, feminine=is_feminine(one.split()[0]))
    return f"{said} {one}" if bottom == "2" and top == "1" else f"{said} de {one}"


def _inches(match: re.Match[str]) -> str:
    return f"{fraction(match['top'], match['bottom'], feminine=True)} {'' if match['bottom'] == '2' else 'de '}pulgada"


def _part_of(match: re.Match[str]) -> str:
    return fraction(match["top"], match["bottom"]) if _is_proper(match["top"], match["bottom"]) else match[0]


def _mark(match: re.Match[str]) -> str:
    label = match.groupdict().get("label") or ""
    return f"{label}{numerals.number(match['top'])} sobre {numerals.number(match['bottom'])}"


_PAIR = r"(?P<top>\d{1,3})/(?P<bottom>\d{1,3})"
RULES: tuple[Rule, ...] = (
    rule(r"(\b(?:presi[oó]n|talles?)\b(?: (?:de|en|a|es))?:? \d{1,3})/(?=\d{1,3}(?![\d/]))", r"\1 "),
    rule(rf"(?P<whole>\d ?(?P<noun>{LETTER}+)\.? y )1/2(?![\w/]|[.,-]\d)", _and_half),
    rule(rf"{_BEGIN}(?P<whole>\d{{1,6}}) (?:y )?{_PAIR}{_END}(?:{_NOUN})?", _mixed),
    rule(rf"{_BEGIN}{_PAIR} ?(?:\"|pulgadas?\b)", _inches),
    rule(rf"{_MARKS}{_BEGIN}(?P<top>\d{{1,3}}(?:,\d)?)/(?P<bottom>5|10|100|20)(?![\d/]|[.,]\d)", _mark),
    rule(rf"{_BEGIN}(?P<top>\d{{1,3}}(?:,\d)?)/(?P<bottom>\d{{1,3}})(?= (?:puntos|estrellas|respuestas|preguntas|correctas))", _mark),
    rule(rf"{_BEGIN}(?P<top>1?\d|100)/(?P<bottom>100){_END}", _mark),
    rule(rf"{_BEGIN}(?P<top>\d,\d{{1,2}}|0)/(?P<bottom>5|10){_END}", _mark),
    rule(rf"{_BEGIN}{_PAIR}{_END}{_NOUN}", _with_noun),
    rule(rf"{_BEGIN}{_PAIR}{_END}(?= partes\b| de (?:la|las|los|lo|un|una|cada|taza|cuchara)|(?: del)\b)", _part_of),
    rule(rf"{_BEGIN}24/7{_END}", "veinticuatro siete"),
    rule(rf"{_BEGIN}(?=(?:{_SIMPLE}){_END}){_PAIR}", _part_of),
)
