"""Read the text of an exported WhatsApp chat: which file was sent by whom, and when.

The format is documented nowhere and depends on phone, language and settings. What they have in common: a message starts
with date and time, in brackets (iOS) or followed by a dash (Android), then `sender: `. The file name of an attachment
ends the line, as `<…: name>` (iOS) or followed by words in parentheses (Android). Those words are translated, so they
are ignored.
"""

import datetime
import itertools
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

# Direction marks, isolates, BOM and zero-width space, which WhatsApp inserts. The zero-width joiner stays: it is part of emoji.
_MARKS = dict.fromkeys([0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0xFEFF])
_MESSAGE = re.compile(
    r"(?P<open>\[)?\s*(?P<a>\d{1,4})\s?[./\-]\s?(?P<b>\d{1,2})\s?[./\-]\s?(?P<c>\d{1,4})\.?"
    r"(?P<before>[^\d\]:]{1,20}?)"  # ", " or " a las " or "下午"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.]\d{2})?"
    r"(?P<after>\s*[^\d\]:\-–—]{0,12}?)"  # " p. m."
    r"(?(open)\s*\]\s*|\s+[-–—]\s+)(?P<rest>.*)\Z"
)
_ATTACHMENT = re.compile(
    r"(?:[<＜][^<>]*[:：]\s*)?(?P<name>[^\s:<>/\\|]+\.[A-Za-z0-9]{2,5})\s*(?P<words>[>＞]|[(（<][^()（）<>]*[)）>])?\s*\Z"
)
_DATE_IN_NAME = re.compile(r"(?<!\d)(?P<y>20\d{2})-?(?P<m>\d{2})-?(?P<d>\d{2})(?!\d)")
_IS_PM = {"am": False, "pm": True, "上午": False, "下午": True, "午前": False, "午後": True, "오전": False, "오후": True}
_IS_PM |= {"ص": False, "م": True, "πμ": False, "μμ": True, "de": False, "du": True, "fm": False, "em": True, "öö": False, "ös": True}

YearMonthDay = tuple[int, int, int]
Order = Callable[[int, int, int], YearMonthDay]
_ORDERS: dict[str, Order] = {  # if several fit equally well, the first is taken: most countries write the day before the month
    "dmy": lambda a, b, c: (c, b, a),
    "mdy": lambda a, b, c: (c, a, b),
    "ymd": lambda a, b, c: (a, b, c),
}


@dataclass(frozen=True)
class Attachment:
    """A file that a message of the chat attaches."""

    name: str  # the file's name, NFC
    sender: str  # in the form of `clean_sender`
    date: str  # 2026-05-12T17:45; the date alone if the time is unclear; empty if both are


@dataclass(frozen=True)
class Chat:
    """What was found in a chat's text."""

    messages: int  # how many lines start a message
    attachments: list[Attachment]  # in order; a file name that several messages attach belongs to the first


@dataclass(frozen=True)
class _Message:
    """The line that starts a message: the three numbers of its date in their order, its time, and the text after them."""

    numbers: tuple[int, int, int]
    time: datetime.time | None
    rest: str


def plain(text: str) -> str:
    """The text in composed form (NFC), without invisible marks, and with every kind of space as a plain space."""
    text = unicodedata.normalize("NFC", text.translate(_MARKS))
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)


def clean_sender(sender: str) -> str:
    """A sender's name in comparable form: no marks, single spaces, without the `~` that WhatsApp puts before unsaved contacts."""
    return " ".join(plain(sender).strip().removeprefix("~").split())


def parse(text: str) -> Chat:
    """Find the attachments in a chat. Lines that start no message, or do not end with a file name, are skipped."""
    messages = [message for line in plain(text).split("\n") if (message := _message(line))]
    attached = [(message, *pair) for message in messages if (pair := _attachment(message.rest))]
    order = min(_ORDERS.values(), key=lambda order: _mismatches(order, messages, attached))
    first: dict[str, Attachment] = {}
    for message, sender, name in attached:
        first.setdefault(name, Attachment(name, sender, _date(message, name, order)))
    return Chat(len(messages), list(first.values()))


def date_in_name(name: str) -> datetime.date | None:
    """The date that WhatsApp writes into its file names (`PTT-20260512-WA0001.opus`); None if there is none."""
    match = _DATE_IN_NAME.search(name)
    return _valid_date((int(match["y"]), int(match["m"]), int(match["d"]))) if match else None


def _message(line: str) -> _Message | None:
    match = _MESSAGE.match(line.rstrip("\r"))
    if not match:
        return None
    return _Message((int(match["a"]), int(match["b"]), int(match["c"])), _time(match), match["rest"])


def _time(match: re.Match[str]) -> datetime.time | None:
    """The time of day; None if the marker after it (such as "p. m.") is unknown."""
    hour, minute = int(match["hour"]), int(match["minute"])
    after, before = _letters(match["after"]), _letters(match["before"])
    is_pm = _IS_PM.get(after) if after else _IS_PM.get(before)
    if after and is_pm is None:
        return None
    if is_pm is not None:
        hour = hour % 12 + 12 * is_pm
    return datetime.time(hour, minute) if hour < 24 and minute < 60 else None


def _letters(marker: str) -> str:
    return "".join(char for char in marker.casefold() if char.isalpha())


def _attachment(rest: str) -> tuple[str, str] | None:
    """(sender, file name) of a message that attaches a file; None for any other.

    A sender's name may contain a colon, so everything before the attachment is the sender. Only if a caption stands
    between them (which iOS allows, with angle brackets) the sender is what precedes the first colon.
    """
    match = _ATTACHMENT.search(rest)
    if not match:
        return None
    before = rest[: match.start()].rstrip()
    if before.endswith(":"):
        return clean_sender(before[:-1]), match["name"]
    if match["words"] in (">", "＞") and ": " in before:
        return clean_sender(before.split(": ", 1)[0]), match["name"]
    return None


def _mismatches(order: Order, messages: list[_Message], attached: list[tuple[_Message, str, str]]) -> int:
    """How badly an order of day, month and year fits the chat.

    Counts dates that do not exist (ten each), dates before that of the message before, and dates that differ from the one
    in the attached file's name.
    """
    dates = [_valid_date(order(*message.numbers)) for message in messages]
    valid = [date for date in dates if date]
    backwards = sum(later < earlier for earlier, later in itertools.pairwise(valid))
    contradicted = sum(date_in_name(name) not in (None, _valid_date(order(*message.numbers))) for message, _, name in attached)
    return (len(dates) - len(valid)) * 10 + backwards + contradicted


def _valid_date(year_month_day: YearMonthDay) -> datetime.date | None:
    """The date, a two-digit year being in this century; None if there is no such date."""
    year, month, day = year_month_day
    try:
        return datetime.date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def _date(message: _Message, name: str, order: Order) -> str:
    """ISO date and time of a message; its file name gives the date if the message's own does not exist."""
    date = _valid_date(order(*message.numbers))
    if not date:
        date = date_in_name(name)
        return date.isoformat() if date else ""
    return f"{date}T{message.time:%H:%M}" if message.time else date.isoformat()
