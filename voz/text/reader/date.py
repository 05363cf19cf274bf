"""Dates: 25/5, 25-05-2024, 25.05.24, 2024-05-25, 5-may, 05/2024."""

import re

from voz.text import numerals
from voz.text.reader.rule import MONTHS, Rule, rule

_SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"sept": "septiembre", "set": "septiembre"}
_SHORT = "|".join(sorted(_SHORT_MONTHS, key=len, reverse=True))
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_PIVOT = 50  # a year of two digits from here on is of the last century
_BEGIN, _END = r"(?<![\w/.,-])", r"(?![\w/]|[.,-]\d)"
_DAY, _MONTH, _YEAR = r"(?P<day>\d{1,2})", r"(?P<month>\d{1,2})", r"(?P<year>\d{4}|\d{2})"
_ARTICLE = (
    r"(?P<article>\b(?:el|al|del|d[ií]a|desde|hasta|este|pr[oó]ximo|pasado|lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bado|domingo) )"
)
_NUMBERED = (
    r"\b(?:decreto|ley|resoluci[oó]n|res\.|dec\.|expediente|expte\.?|causa|n[º°]|nro\.?|acta|folio|disposici[oó]n) ?(?:n[º°] ?|nro\.? ?)?"
)


_WEEKDAYS = {"lun": "lunes", "mar": "martes", "mie": "miércoles", "mié": "miércoles", "mier": "miércoles", "miér": "miércoles"}
_WEEKDAYS |= {"jue": "jueves", "vie": "viernes", "vier": "viernes", "sab": "sábado", "sáb": "sábado", "dom": "domingo"}
_WEEKDAY = "|".join(sorted(_WEEKDAYS, key=len, reverse=True))


def date(day: str, month: str, year: str = "") -> str | None:
    """A date in words; None if there is no such day of a month. year: four digits, two, or none"""
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= _DAYS[int(month) - 1]):
        return None
    words = f"{_day(day)} de {MONTHS[int(month) - 1]}"
    return f"{words} de {numerals.cardinal(_full(year))}" if year else words


def _day(day: str) -> str:
    return "primero" if int(day) == 1 else numerals.cardinal(str(int(day)))


def _full(year: str) -> str:
    if len(year) == 4:
        return str(int(year))
    return str(int(year) + (1900 if int(year) >= _PIVOT else 2000))


def _read(match: re.Match[str]) -> str:
    parts = match.groupdict()
    said = date(parts["day"], parts["month"], parts.get("year") or "")
    return match[0] if said is None else f"{parts.get('article') or ''}{said}"


def _named(match: re.Match[str]) -> str:
    month = _SHORT_MONTHS[match["name"].lower()]
    if match["day"] and not 1 <= int(match["day"]) <= 31:
        return match[0]
    day = f"{_day(match['day'])} de " if match["day"] else ""
    return f"{day}{month}" + (f" de {numerals.cardinal(_full(match['year']))}" if match["year"] else "")


def _weekday(match: re.Match[str]) -> str:
    return _WEEKDAYS[match["name"].lower()]


def _dotted(match: re.Match[str]) -> str:
    """en oct.: the dot shows that it is short; "de mar." and "de set." may end a sentence about the sea or a set."""
    name = match["name"].lower()
    if name in ("mar", "set") or name in MONTHS:
        return match[0]
    stop = "." if match.end() == len(match.string) else ""
    return f"{match['before']}{_SHORT_MONTHS[name]}{stop}"


def _month_and_year(match: re.Match[str]) -> str:
    month = int(match["month"])
    if match["numbered"] or not 1 <= month <= 12:
        return match[0]
    return f"{MONTHS[month - 1]} de {numerals.cardinal(match['year'])}"


RULES: tuple[Rule, ...] = (
    rule(rf"(?<![\w.])(?P<name>{_WEEKDAY})\.?(?= \d{{1,2}}(?:[/-]\d| de (?:{'|'.join(MONTHS)})\b))", _weekday),
    rule(rf"(?<![\w.])(?!mar\b)(?P<name>{_WEEKDAY})\.?(?= \d{{1,2}}(?:\b(?![\w.,:]|[ºª°])| ?hs?\b))", _weekday),
    rule(rf"{_BEGIN}(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2{_DAY}{_END}", _read),
    rule(rf"{_BEGIN}{_DAY}([-/.]){_MONTH}\2{_YEAR}{_END}", _read),
    rule(rf"{_ARTICLE}{_DAY}[-/]{_MONTH}{_END}", _read),
    rule(rf"{_BEGIN}(?P<day>\d{{1,2}})[-/ ](?:de )?(?P<name>{_SHORT})\b\.?(?:(?:[-/ ]| de )(?P<year>\d{{4}}|\d{{2}}))?{_END}", _named),
    rule(rf"{_BEGIN}(?P<day>)(?P<name>{_SHORT})[-/](?P<year>\d{{4}}|\d{{2}}){_END}", _named),
    rule(rf"(?P<numbered>{_NUMBERED})?{_BEGIN}(?P<month>\d{{1,2}})/(?P<year>(?:19|20)\d{{2}}){_END}", _month_and_year),
    rule(rf"{_BEGIN}1(?= de (?:{'|'.join(MONTHS)})\b)", "primero"),
)
SHORT: tuple[Rule, ...] = (  # of a month without a day
    rule(rf"(?P<before>\b(?:en|desde|hasta|para|de|y|a) )(?P<name>{_SHORT})\.(?=[\s,;)]|\Z)", _dotted),
)
BARE: tuple[Rule, ...] = (rule(rf"{_BEGIN}{_DAY}/{_MONTH}{_END}", _read),)  # after the fractions
