"""Read the text of an exported WhatsApp chat: which file was sent by whom, and when.

The format is nowhere specified and differs by phone, language and settings. What holds everywhere: a message opens
with date and time, in brackets (iOS) or followed by a dash (Android), then `sender: `; an attachment's file name ends
the line, in `<…: name>` (iOS) or followed by words in parentheses (Android). Those words are translated, so they are
not looked at.
"""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Direction marks, isolates, BOM and zero-width space that WhatsApp sprinkles in. The zero-width joiner stays: it is part of emoji.
_MARKS = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_HEADER = re.compile(
    r"(?P<open>\[)?\s*(?P<a>\d{1,4})\s?[./\-]\s?(?P<b>\d{1,2})\s?[./\-]\s?(?P<c>\d{1,4})\.?"
    r"(?P<before>[^\d\]:]{1,20}?)"  # ", " or " a las " or "下午"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.]\d{2})?"
    r"(?P<after>\s*[^\d\]:\-–—]{0,12}?)"  # " p. m."
    r"(?(open)\s*\]\s*|\s+[-–—]\s+)(?P<rest>.*)\Z"
)
_ATTACHMENT = re.compile(
    r"(?:[<＜][^<>]*[:：]\s*)?(?P<name>[^\s:<>/\\|]+\.[A-Za-z0-9]{2,5})\s*(?P<words>[>＞]|[(（<][^()（）<>]*[)）>])?\s*\Z"
)
_NAME_DAY = re.compile(r"(?<!\d)(?P<y>20\d{2})-?(?P<m>\d{2})-?(?P<d>\d{2})(?!\d)")
_NOON = {"am": False, "pm": True, "上午": False, "下午": True, "午前": False, "午後": True, "오전": False, "오후": True}
_NOON |= {"ص": False, "م": True, "πμ": False, "μμ": True, "de": False, "du": True, "fm": False, "em": True, "öö": False, "ös": True}

Date = Callable[[int, int, int], tuple[int, int, int]]
_ORDERS: dict[str, Date] = {  # ties go to the first: day before month is what most of the world writes
    "dmy": lambda a, b, c: (c, b, a),
    "mdy": lambda a, b, c: (c, a, b),
    "ymd": lambda a, b, c: (a, b, c),
}


@dataclass(frozen=True)
class Attachment:
    """A file that a line of the chat names."""

    name: str  # the file's name, NFC
    sender: str  # as `clean` leaves it
    date: str  # 2026-05-12T17:45, the day alone where the time cannot be told, or "" where neither can


@dataclass(frozen=True)
class Chat:
    """What was found in a chat's text."""

    lines: int  # that open a message
    attachments: list[Attachment]  # in order; a name that several lines mention belongs to the first


@dataclass(frozen=True)
class _Line:
    numbers: tuple[int, int, int]
    time: datetime.time | None
    rest: str


def plain(text: str) -> str:
    """Text without direction marks, with every odd space as a space, composed (NFC)."""
    text = unicodedata.normalize("NFC", text.translate(_MARKS))
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)


def clean(sender: str) -> str:
    """A sender's name as people compare it: no marks, no `~` in front (which marks who is no contact), spaces single."""
    return " ".join(plain(sender).strip().removeprefix("~").split())


def parse(text: str) -> Chat:
    """Find the attachments in a chat. Lines that open no message, or name no file at their end, are passed over."""
    found = [line for line in map(_header, plain(text).split("\n")) if line]
    attached = [(line, *pair) for line in found if (pair := _attachment(line.rest))]
    order = min(_ORDERS, key=lambda key: _faults(_ORDERS[key], found, attached))
    first: dict[str, Attachment] = {}
    for line, sender, name in attached:
        first.setdefault(name, Attachment(name, sender, _date(line, name, _ORDERS[order])))
    return Chat(len(found), list(first.values()))


def day_of(name: str) -> datetime.date | None:
    """The day that WhatsApp writes into its file names (`PTT-20260512-WA0001.opus`), if there is one."""
    match = _NAME_DAY.search(name)
    return _day((int(match["y"]), int(match["m"]), int(match["d"]))) if match else None


def _header(line: str) -> _Line | None:
    match = _HEADER.match(line.rstrip("\r"))
    if not match:
        return None
    return _Line((int(match["a"]), int(match["b"]), int(match["c"])), _time(match), match["rest"])


def _time(match: re.Match[str]) -> datetime.time | None:
    """The time of day; None where a marker beside it is none that is known."""
    hour, minute = int(match["hour"]), int(match["minute"])
    after, before = _letters(match["after"]), _letters(match["before"])
    noon = _NOON.get(after) if after else _NOON.get(before)
    if after and noon is None:
        return None
    if noon is not None:
        hour = hour % 12 + 12 * noon
    return datetime.time(hour, minute) if hour < 24 and minute < 60 else None


def _letters(marker: str) -> str:
    return "".join(char for char in marker.casefold() if char.isalpha())


def _attachment(rest: str) -> tuple[str, str] | None:
    """(sender, file name) of a message that is an attachment.

    A sender may hold a colon, so everything before the attachment is the sender; only where a caption stands between
    them (which needs the angle brackets) it is what precedes the first colon.
    """
    match = _ATTACHMENT.search(rest)
    if not match:
        return None
    before = rest[: match.start()].rstrip()
    if before.endswith(":"):
        return clean(before[:-1]), match["name"]
    if match["words"] in (">", "＞") and ": " in before:
        return clean(before.split(": ", 1)[0]), match["name"]
    return None


def _faults(order: Date, lines: list[_Line], attached: list[tuple[_Line, str, str]]) -> int:
    """How badly an order of day, month and year fits: days that are none, days before the one before, names that say otherwise."""
    days = [_day(order(*line.numbers)) for line in lines]
    known = [day for day in days if day]
    backwards = sum(later < earlier for earlier, later in itertools.pairwise(known))
    denied = sum(day_of(name) not in (None, _day(order(*line.numbers))) for line, _, name in attached)
    return (len(days) - len(known)) * 10 + backwards + denied


def _day(year_month_day: tuple[int, int, int]) -> datetime.date | None:
    year, month, day = year_month_day
    try:
        return datetime.date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def _date(line: _Line, name: str, order: Date) -> str:
    day = _day(order(*line.numbers))
    if not day:
        day = day_of(name)
        return day.isoformat() if day else ""
    return f"{day}T{line.time:%H:%M}" if line.time else day.isoformat()
