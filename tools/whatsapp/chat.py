"""Read the text of an exported WhatsApp chat: which file was sent by whom, and when.

The format is documented nowhere and depends on phone, language and settings. What they have in common: a message starts
with date and time, in brackets (iOS), followed by a dash (Android) or by a colon (iOS until 2016), then `sender: `. The
file name of an attachment ends the line, as `<…: name>` (iOS) or followed by words in parentheses (Android). Those words
are translated, so they are ignored.

The text is a stranger's, so it is read in linear time: the patterns below see a bounded piece of each line.
"""

import datetime
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tools.whatsapp import names

MAX_LINE_CHARS = 2**17  # a longer line is skipped; WhatsApp's messages have at most 65 536 characters
MAX_TEXT_CHARS = 10_000  # of the lines after an attachment
_HEAD_CHARS = 128
_MAX_COLONS = 3  # in a sender's name
_MESSAGE = re.compile(
    r"(?P<open>\[)?\s{0,2}(?P<a>\d{1,4})\s?[./\-]\s?(?P<b>\d{1,2})\s?[./\-]\s?(?P<c>\d{1,4})\.?"
    r"(?P<before>[^\d\]:]{1,20}?)"  # ", " or " a las " or "下午"
    r"(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?:[:.]\d{2})?"
    r"(?P<after>[^\d\]:\-–—]{0,16}?)"  # " p. m."
    r"(?(open)\s{0,2}\]|(?:\s{1,2}[-–—]|:)\s)"
)
_FILE_NAME = re.compile(r"[^\s:<>/\\|][^:<>/\\|]{0,250}\.[A-Za-z0-9]{2,5}")
_OPENING = {">": "<", "＞": "＜", ")": "(", "）": "（"}  # by what closes the words after or around a file name
_LABELLED = ">＞"
_MARK = "\u200e"  # WhatsApp writes it before an attachment, in exports since about 2018; what a person types has none
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
    sender: str  # in the form of `names.clean_sender`
    date: str  # 2026-05-12T17:45; the date alone if the time is unclear; empty if both are
    text: str = ""  # the words of the same message, in one line: a caption, or WhatsApp's own transcript of a voice note


@dataclass(frozen=True)
class Chat:
    """What was found in a chat's text."""

    messages: int  # how many lines start a message
    attachments: list[Attachment]  # in order, each file name once


@dataclass(frozen=True)
class _Message:
    """The line that starts a message: the three numbers of its date in their order, its time, and the text after them."""

    numbers: tuple[int, int, int]
    time: datetime.time | None
    rest: str


@dataclass(frozen=True)
class _Attached:
    """A message that attaches a file.

    before: the text before the file's name: the sender, and perhaps a caption.
    complete: the sender is all of `before`, or a part of it that ends at a colon.
    words: what stands after or around the name ("archivo adjunto"); empty if nothing does.
    marked: WhatsApp's mark stands before it.
    more: the following lines of the message.
    """

    message: _Message
    before: str
    complete: bool
    name: str
    words: str
    marked: bool
    more: list[str]


def parse(text: str) -> Chat:
    """Find the attachments in a chat. Lines that start no message, or do not end with a file name, are skipped.

    If several messages attach the same name, it belongs to the one that WhatsApp wrote rather than to one that a person typed:
    one with WhatsApp's mark, or with the words that most attachments of this chat have; otherwise to the first.
    """
    messages, attached = _read(text)
    order = min(_ORDERS.values(), key=lambda order: _mismatches(order, messages, attached))
    said = Counter(start for message in messages for start in _possible_senders(message.rest))
    usual = Counter(each.words for each in attached if each.words)
    chosen: dict[str, _Attached] = {}
    for each in attached:
        known = chosen.setdefault(names.file_key(each.name), each)
        if (each.marked, usual[each.words]) > (known.marked, usual[known.words]):
            chosen[names.file_key(each.name)] = each
    return Chat(len(messages), [_as_attachment(each, order, said) for each in chosen.values()])


def date_in_name(name: str) -> datetime.date | None:
    """The date that WhatsApp writes into its file names (`PTT-20260512-WA0001.opus`); None if there is none."""
    match = _DATE_IN_NAME.search(name)
    return _valid_date((int(match["y"]), int(match["m"]), int(match["d"]))) if match else None


def _read(text: str) -> tuple[list[_Message], list[_Attached]]:
    """All messages, and those that attach a file."""
    messages: list[_Message] = []
    attached: list[_Attached] = []
    more: list[str] = []  # the lines of the current message after its first
    for raw in text.split("\n" if "\n" in text else "\r"):
        if len(raw) > MAX_LINE_CHARS:
            continue
        line = names.plain(raw).rstrip()
        message = _message(line)
        if message is None:
            more.append(line)
            continue
        messages.append(message)
        more = []
        if found := _attachment(message, raw, more):
            attached.append(found)
    return messages, attached


def _message(line: str) -> _Message | None:
    match = _MESSAGE.match(line[:_HEAD_CHARS])
    if not match:
        return None
    return _Message((int(match["a"]), int(match["b"]), int(match["c"])), _time(match), line[match.end() :].lstrip())


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
    return "".join(char for char in unicodedata.normalize("NFC", marker).casefold() if char.isalpha())


def _attachment(message: _Message, raw: str, more: list[str]) -> _Attached | None:
    """The file that a message attaches; None if there is none."""
    before, words, name, complete = message.rest, "", "", True
    for _ in range(2):  # the second for "name (archivo adjunto) <Se editó este mensaje>"
        opening = before.rfind(_OPENING[before[-1]]) if before[-1:] in _OPENING else -1
        if opening >= 0 and not name:
            before, words = before[:opening].rstrip(), before[opening:]
            if words[-1] in _LABELLED:  # <adjunto: name>
                name = words[1:-1].replace("：", ":").partition(":")[2].strip()
    if name:
        words, complete = words.replace(name, ""), before.endswith(":")
        before = before.removesuffix(":")
    else:  # name (archivo adjunto)
        before, colon, name = (part.strip() for part in before.rpartition(":"))
        if not colon or (not words and " " in name):  # without words after it, a name with spaces is what somebody wrote
            return None
    if not before or not (complete or ": " in before) or not _FILE_NAME.fullmatch(name):
        return None
    marked = f"{_MARK}{name}" in raw or any(f"{_MARK}{sign}" in raw for sign in "<＜")
    return _Attached(message, before, complete, names.composed(name), words, marked, more)


def _possible_senders(rest: str) -> Iterator[str]:
    """The starts of a message that may be its sender's name, which may contain colons: `Ana`, `Ana: trabajo`. The shortest first."""
    at = -1
    for _ in range(_MAX_COLONS):
        at = rest.find(": ", at + 1, names.MAX_CHARS)
        if at < 0:
            return
        yield rest[:at]


def _sender(each: _Attached, said: Counter[str]) -> str:
    """Who sent it: the longest start of the line that starts two messages or more; else all that stands before the attachment.

    Only where a caption stands between them (which iOS allows), the sender is what precedes the first colon.
    """
    possible = list(_possible_senders(f"{each.before}: " if each.complete else each.before))
    repeated = [sender for sender in possible if said[sender] > 1]
    if repeated:
        return repeated[-1]
    if each.complete:
        return each.before
    return possible[0] if possible else ""


def _as_attachment(each: _Attached, order: Order, said: Counter[str]) -> Attachment:
    sender = _sender(each, said)
    caption = each.before[len(sender) :].strip(": ")
    text = " ".join(" ".join([caption, *each.more])[:MAX_TEXT_CHARS].split())
    return Attachment(each.name, names.clean_sender(sender), _date(each.message, each.name, order), text)


def _mismatches(order: Order, messages: list[_Message], attached: list[_Attached]) -> int:
    """How badly an order of day, month and year fits the chat.

    Counts dates that do not exist (ten each), dates before that of the message before, and dates that differ from the one
    in the attached file's name.
    """
    dates = [_valid_date(order(*message.numbers)) for message in messages]
    valid = [date for date in dates if date]
    backwards = sum(later < earlier for earlier, later in itertools.pairwise(valid))
    named = [(date_in_name(each.name), _valid_date(order(*each.message.numbers))) for each in attached]
    contradicted = sum(in_name not in (None, date) for in_name, date in named)
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
