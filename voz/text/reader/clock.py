"""Times of day and durations: 14:30, 18.30 hs, 9 a 12 hs, 17h30, 7 pm, 90', 1'30\"."""

import re

from voz.text import numerals
from voz.text.reader.rule import DOT, Rule, rule

_HOUR, _MINUTE = r"(?:[01]?\d|2[0-4])", r"[0-5]\d"
_BEGIN, _END = r"(?<![\w:,.-])", r"(?![\w:]|[.,]\d)"
_UNIT = rf"(?:hs|hrs?|horas?|h)\b{DOT}"
_HALF = r"(?P<half>[ap])\.? ?m\b(?:\.(?=\s?\S))?"  # the last dot also ends the sentence at the end of the text
_TIME = rf"(?P<hour>{_HOUR})(?::(?P<minute>{_MINUTE}))?"
_UNTIL = rf"(?P<hour2>{_HOUR})(?::(?P<minute2>{_MINUTE}))?"
_AT = r"(?:a|de|desde|hasta|tipo|y|para|por|sobre) las? |las? "


def _hours(hour: str) -> str:
    return numerals.cardinal(str(int(hour)), noun="horas")


def clock(hour: str, minute: str) -> str:
    """A time of day without its unit: "dieciocho y treinta"."""
    if not int(minute or 0):
        return _hours(hour)
    joint = " " if int(hour) == 0 else " y "
    return f"{_hours(hour)}{joint}{numerals.cardinal(str(int(minute)))}"


def _part_of_day(hour: int, half: str) -> str:
    if hour == 12:
        return "del mediodía" if half == "p" else "de la noche"
    if half == "a":
        return "de la mañana"
    return "de la tarde" if hour < 8 else "de la noche"


def _with_half(match: re.Match[str]) -> str:
    """7 pm: siete de la tarde. From 13 on the hour says it: 19 pm is "diecinueve"."""
    hour, minute = int(match["hour"]), match["minute"] or ""
    if not hour and not minute:
        return match[0]
    said = clock(match["hour"], minute)
    return f"{said} {_part_of_day(hour, match['half'].lower())}" if 0 < hour <= 12 else said


def _range(match: re.Match[str]) -> str:
    """9:30-12:00, 15-20 hs: with "a" between. Without a unit only if both have minutes."""
    first, last = clock(match["hour"], match["minute"] or ""), clock(match["hour2"], match["minute2"] or "")
    if not match["unit"] and not (match["minute"] and match["minute2"]):
        return match[0]
    return f"{first} a {last}" + (" horas" if match["unit"] else "")


def _seconds(match: re.Match[str]) -> str:
    hours, minutes, seconds = (int(match[i]) for i in (1, 2, 3))
    parts = ((hours, "hora", "horas"), (minutes, "minuto", "minutos"), (seconds, "segundo", "segundos"))
    said = [numerals.counted(str(value), one, more) for value, one, more in parts if value]
    return " ".join(said) or "cero horas"


def _french(match: re.Match[str]) -> str:
    """17h30 is a time of day, 1h30 a duration unless "a las" stands before it."""
    hour, minute = match["hour"], match["minute"]
    if not match["at"] and int(hour) < 6:
        minutes = numerals.cardinal(str(int(minute))) if int(minute) else ""
        return f"{numerals.counted(hour, 'hora', 'horas')} {minutes}".rstrip()
    return f"{match['at'] or ''}{_hours(hour)} {numerals.cardinal(str(int(minute))) if int(minute) else 'horas'}"


def _minutes(match: re.Match[str]) -> str:
    """90', 45'+2', 1'30\"."""
    said = numerals.counted(match["minutes"], "minuto", "minutos")
    if match["seconds"]:
        return f"{said} {numerals.cardinal(str(int(match['seconds'])))}"
    return f"{said} más {numerals.cardinal(match['more'])}" if match["more"] else said


def _decimal(match: re.Match[str]) -> str:
    """18.30 hs is a time; "1,5 hs" and "2.5 hs" are durations, with a single decimal."""
    hour, minute = match["hour"], match["minute"]
    return f"{clock(hour, minute)} {'hora' if int(hour) == 1 and not int(minute) else 'horas'}"


RULES: tuple[Rule, ...] = (
    rule(
        rf"{_BEGIN}{_TIME} ?(?:hs\.? ?)?(?:-| a ) ?{_UNTIL}{_END}(?P<unit> ?(?:hs|hrs|horas|h)\b{DOT})",
        _range,
    ),
    rule(rf"{_BEGIN}(?P<hour>{_HOUR}):(?P<minute>{_MINUTE}) ?- ?(?P<hour2>{_HOUR}):(?P<minute2>{_MINUTE})(?P<unit>){_END}", _range),
    rule(rf"{_BEGIN}({_HOUR}):({_MINUTE}):({_MINUTE}){_END}", _seconds),
    rule(rf"{_BEGIN}(?P<hour>{_HOUR})(?:[:.](?P<minute>{_MINUTE}))? ?{_HALF}", _with_half),
    rule(rf"{_BEGIN}(?P<hour>{_HOUR})[:.,](?P<minute>{_MINUTE}) ?{_UNIT}", _decimal),
    rule(rf"{_BEGIN}(?P<hour>{_HOUR}):(?P<minute>{_MINUTE}){_END}", lambda match: clock(match["hour"], match["minute"])),
    rule(rf"\b(?P<at>{_AT})(?P<hour>{_HOUR})\.(?P<minute>{_MINUTE})(?![\d.,]\d|\d)", lambda m: f"{m['at']}{clock(m['hour'], m['minute'])}"),
    rule(
        rf"(?P<at>\b(?:{_AT}))?(?<![\w:,.-])(?P<hour>\d{{1,2}}) ?h ?(?P<minute>{_MINUTE})(?![\w]| ?(?:m|min|mins|minutos|seg|'))", _french
    ),
    rule(
        r"(?<![\w'.,])(?P<minutes>\d{1,3})'(?: ?(?P<seconds>[0-5]\d)\"| ?\+ ?(?P<more>\d{1,2})'?)?(?![\w'])",
        _minutes,
    ),
)
