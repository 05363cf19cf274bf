"""Reads written Spanish aloud, kind of token by kind of token. Each kind is a module with its rules.

The order matters: a kind takes what it recognises, and those after it see words there. What is written with more signs comes
first, so that "25-05-2024" is a date before a dash between numbers is "a", and "$10k" is money before "10k" is a number.

| kind | reads |
|---|---|
| characters, asides | one spelling of dashes, quotes, ½; drops emoji, emoticons, "(risas)" |
| electronic | addresses, files, @names, #tags, versions |
| date | dates, except 25/5, which could be a fraction |
| phone | telephone numbers, CUIT |
| abbreviation, chat, acronym | short forms; c/u, él/ella; DNI, S.A. |
| clock | times of day and durations |
| arithmetic.JOINTS | "a" and "por" between numbers |
| money | amounts |
| roman, ordinal | Juan Pablo II; 3era, piso 1° |
| fraction, date.BARE | 2 1/2 kilos; then 25/5 |
| measure | numbers with a unit |
| arithmetic | powers, roots, signs |
| cardinal | the other numbers |
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from voz.text.reader import (
    abbreviation,
    acronym,
    arithmetic,
    asides,
    cardinal,
    characters,
    chat,
    clock,
    date,
    electronic,
    fraction,
    measure,
    money,
    ordinal,
    phone,
    punctuation,
    roman,
)

_KINDS: tuple[Iterable[Callable[[str], str]], ...] = (
    electronic.RULES,
    date.RULES,
    phone.RULES,
    abbreviation.RULES,
    chat.RULES,
    acronym.RULES,
    clock.RULES,
    money.RANGES,
    arithmetic.JOINTS,
    money.RULES,
    roman.RULES,
    ordinal.RULES,
    fraction.RULES,
    date.BARE,
    measure.RULES,
    arithmetic.RULES,
    cardinal.RULES,
)
_OF_DIGITS = (  # a text without digits passes them by
    *(date.RULES, phone.RULES, clock.RULES, money.RANGES, arithmetic.JOINTS, money.RULES),
    *(ordinal.RULES, fraction.RULES, date.BARE, cardinal.RULES),
)
_SIGNS = arithmetic.LEFT | {
    "$": " pesos ",
    "€": " euros ",
    "£": " libras ",
    "¥": " yenes ",
    "₿": " bitcoins ",
    "¢": " centavos ",
    "%": " por ciento ",
    "‰": " por mil ",
    "°": " grados ",
    "&": " y ",
    "@": " arroba ",
    "#": " numeral ",
    "/": " barra ",
    "∞": " infinito ",
    "π": " pi ",
    "§": " parágrafo ",
}
_PASSES = 4
_SIGN = re.compile("[" + re.escape("".join(_SIGNS)) + "]")


@dataclass(frozen=True)
class Reading:
    """A text as it is read aloud.

    unread: characters that stand for words and have no reading here, each once; they were dropped.
    dropped: emoji, emoticons and stage directions, which nobody says; in order, each once.
    """

    text: str
    unread: str
    dropped: tuple[str, ...]

    @property
    def left_out(self) -> str:
        """All that was written and is not read, separated by spaces; empty if nothing was left out."""
        return " ".join([*self.unread, *self.dropped])


def read(text: str) -> Reading:
    """Read a text. Linear in its length; never raises; reading the result again changes nothing."""
    reading = _once(text)
    said = reading.text
    for _ in range(_PASSES):  # what one pass joins ("1xq" becomes "un xq") the next may know
        again = _once(said).text
        if again == said:
            break
        said = again
    return Reading(said, reading.unread, reading.dropped)


def _once(text: str) -> Reading:
    text, pictures = characters.prepare(text)
    text, asides_found = asides.drop(text)
    text = punctuation.attach(" ".join(text.split()))
    for rules in _KINDS:
        if rules in _OF_DIGITS and not re.search(r"\d", text):
            continue
        for rule in rules:
            text = rule(text)
        text = " ".join(text.split())
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], text)
    text, unread = characters.finish(text)
    return Reading(punctuation.tidy(text), unread, tuple(dict.fromkeys([*pictures, *asides_found])))
