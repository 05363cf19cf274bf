"""Ordinals: 1º, 3er, 2da, la 5°, piso 1°. A degree sign is a temperature or an ordinal, by what stands around it."""

import re

from voz.text import numerals
from voz.text.gender import FUNCTION_WORDS, is_feminine
from voz.text.reader.rule import DOT, LETTER, MONTHS, Rule, rule

_SUFFIX = "ero|era|er|ro|ra|ndo|nda|do|da|to|ta|avo|ava|vo|va|mo|ma|no|na"
_PLACES = frozenset(  # before a number that is an ordinal after them
    """
    piso art artículo inciso inc grado año puesto fila sala capítulo lugar cláusula párrafo acto escena división categoría clase juzgado
    cámara número posición tercio turno distrito sección versículo tomo
    """.split()
)
_HEAT = frozenset(  # beside a number of degrees
    """
    hace hacía hacían hacen hizo haga temperatura temperaturas máxima mínima térmica sensación fiebre marca marcó marcaba bajó subió sube
    baja giro giró girar girá gira ángulo horno rotar inclinación grados centígrados celsius bajo norte sur este oeste
    latitud longitud calor frío
    """.split()
)
_BEFORE_DEGREES = frozenset("a con de menos unos casi hasta entre tenía tengo tiene tuvo y o".split())
_FEMININE_ARTICLES = frozenset("la una esta las esa otra".split())
_ARTICLES = frozenset("el los del al este un ese".split())
_NEAR = 40  # characters around a number that are looked at
_MOST = 20  # an ordinal above it is rarely written with a sign


def _suffixed(match: re.Match[str]) -> str:
    said = numerals.ordinal(match["number"], feminine=match["suffix"].lower().endswith("a"), short=match["suffix"].lower() == "er")
    return said + ("s" if match["plural"] else "")


def _words_around(match: re.Match[str]) -> tuple[str, str]:
    before = re.search(rf"({LETTER}+)[.:]? ?\Z", match.string[max(0, match.start() - _NEAR) : match.start()])
    after = re.match(rf" ?[\"(]?({LETTER}+)", match.string[match.end() : match.end() + _NEAR])
    return (before[1] if before else ""), (after[1] if after else "")


def _signed(match: re.Match[str]) -> str:
    number, sign = match["number"], match["sign"]
    before, after = _words_around(match)
    value = int(number)
    noun = after if after.islower() and after not in FUNCTION_WORDS and len(after) > 1 else ""
    degrees = match[0].replace("º", "°")
    if sign == "ª":
        return numerals.ordinal(number, feminine=True)
    if before.lower() in _HEAT or after.lower() in _HEAT:
        return numerals.number(number, noun="grados") if after == "grados" else degrees
    if before.lower() in _PLACES:
        return numerals.ordinal(number, feminine=is_feminine(before)) if value <= 10 else numerals.cardinal(number)
    if noun or (after.istitle() and len(after) > 2 and before.lower() in _ARTICLES | _FEMININE_ARTICLES):
        return numerals.ordinal(number, feminine=is_feminine(after), short=not is_feminine(after))
    if (
        re.fullmatch(r"\d ", match.string[max(0, match.start() - 2) : match.start()]) and value <= _MOST
    ):  # the floor after the number of a house
        return numerals.ordinal(number)
    if before.lower() in _FEMININE_ARTICLES:
        return numerals.ordinal(number, feminine=True)
    return numerals.ordinal(number) if _is_ordinal(value, sign, before.lower(), after) else degrees


def _is_ordinal(value: int, sign: str, before: str, after: str) -> bool:
    """Whether a number with a sign and no noun is an ordinal: el 1º, 3° B, 2° de la tabla, not "a 20° a la sombra"."""
    if re.fullmatch(r"[A-ZÑ]", after) or before in _ARTICLES:
        return value <= _MOST
    if before in _BEFORE_DEGREES and sign == "°":
        return False
    return value <= 10 and (sign == "º" or after in ("de", "del"))


RULES: tuple[Rule, ...] = (
    rule(rf"(?<![\w.,-])(?P<number>\d{{1,3}})\.?[º°ª](?= de (?:{'|'.join(MONTHS)})\b)", lambda m: numerals.ordinal(m["number"])),
    rule(rf"(?<![\w.,])(?P<number>\d{{1,3}})\.?[ºª]?(?P<suffix>{_SUFFIX})(?P<plural>s?)(?!\w){DOT}", _suffixed),
    rule(r"(?<![\w.,-])(?P<number>\d{1,3})\.? ?(?P<sign>[º°ª])(?:(?!\w)|(?=(?-i:[ABDEGH])(?!\w)))", lambda match: _signed(match) + " "),
)
