"""Times of day and durations: 14:30, 18.30 hs, 9 a 12 hs, 17h30, 7 pm, 90', 1'30\"."""

import re

from voz.text import numerals
from voz.text.reader import measure
from voz.text.reader.rule import DOT, LETTER, Rule, rule

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


def _hours_and_minutes(match: re.Match[str]) -> str:
    """1h 20m, 2 hs y 15 min: a duration."""
    hours, minutes = (str(int(match[name])) for name in ("hours", "minutes"))
    return f"{numerals.counted(hours, 'hora', 'horas')} {match['and'] or ''}{numerals.counted(minutes, 'minuto', 'minutos')}"


def _quarter(match: re.Match[str]) -> str:
    """21.30 without a unit: after noon and on a quarter of an hour it is a time. Before a unit it is a number."""
    following = match["next"] or ""
    before = re.search(rf"({LETTER}+)\W*\Z", match.string[max(0, match.start() - 12) : match.start()])
    if before and before[1].lower() in _OF_NUMBERS:
        return match[0]
    if following.lower() in _COUNTED or measure.names(following):
        return match[0]
    return clock(match["hour"], match["minute"])


_OF_NUMBERS = frozenset("versión v sale salió vale valía cuesta costó pagué nota promedio inciso artículo mide pesa son".split())
_COUNTED = frozenset("de por mil millones pesos dólares puntos grados metros kilos litros euros".split())
RULES: tuple[Rule, ...] = (
    rule(
        rf"{_BEGIN}(?P<hours>\d{{1,2}}) ?(?:hs?|hrs?)\.? ?(?P<and>y )?(?P<minutes>[0-5]?\d) ?(?:m|min|mins|minutos|')(?![\w']){DOT}",
        _hours_and_minutes,
    ),
    rule(r"(?P<at>\b(?:a las|las|tipo) )(?P<hour>1?\d) y 1/2(?![\w/]|[.,]\d)", lambda m: f"{m['at']}{_hours(m['hour'])} y media"),
    rule(
        r"(?<![\w$€£.,:/-])(?<![$€£] )(?P<hour>1[3-9]|2[0-3])\.(?P<minute>00|15|30|45)"
        rf"(?![\d%°º]|[.,:/-]\d| ?[%°º])(?= (?P<next>{LETTER}+)|\W|\Z)",
        _quarter,
    ),
    rule(rf"{_BEGIN}(?P<minutes>2[5-9]|[3-5]\d):(?P<rest>{_MINUTE}){_END}", lambda m: f"{numerals.number(m['minutes'])} {m['rest']}"),
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
