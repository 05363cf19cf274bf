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


@dataclass(frozen=True)
class _Kind:
    """The rules of a kind of token. of_digits: a text without digits passes them by."""

    rules: Iterable[Callable[[str], str]]
    of_digits: bool = True


_KINDS = (
    _Kind(electronic.RULES, of_digits=False),
    _Kind(date.SHORT, of_digits=False),
    _Kind(date.RULES),
    _Kind(phone.RULES),
    _Kind(abbreviation.RULES, of_digits=False),
    _Kind(chat.RULES, of_digits=False),
    _Kind(acronym.RULES, of_digits=False),
    _Kind(clock.RULES),
    _Kind(money.RANGES),
    _Kind(arithmetic.JOINTS),
    _Kind(money.RULES),
    _Kind(roman.RULES, of_digits=False),
    _Kind(ordinal.RULES),
    _Kind(fraction.RULES),
    _Kind(date.BARE),
    _Kind(measure.RULES, of_digits=False),
    _Kind(arithmetic.RULES, of_digits=False),
    _Kind(cardinal.RULES),
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
    passes = [_once(text)]
    while len(passes) <= _PASSES:  # what one pass joins ("1xq" becomes "un xq") the next may know
        passes.append(_once(passes[-1].text))
        if passes[-1].text == passes[-2].text:
            break
    unread = "".join(dict.fromkeys(char for each in passes for char in each.unread))
    return Reading(passes[-1].text, unread, tuple(dict.fromkeys(piece for each in passes for piece in each.dropped)))


def _once(text: str) -> Reading:
    text, pictures = characters.prepare(text)
    text, asides_found = asides.drop(text)
    text = punctuation.attach(" ".join(text.split()))
    for kind in _KINDS:
        if kind.of_digits and not re.search(r"\d", text):
            continue
        for rule in kind.rules:
            text = rule(text)
        text = " ".join(text.split())
    text = _SIGN.sub(lambda match: _SIGNS[match[0]], text)
    text, unread = characters.finish(text)
    return Reading(punctuation.tidy(text), unread, tuple(dict.fromkeys([*pictures, *asides_found])))
