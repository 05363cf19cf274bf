"""Telephone numbers, CUIT and other long labels: in the groups in which they are written, a pause between groups.

The area code and prefixes are read as numbers ("once", "cero once", "cero ochocientos", "quince"), the rest digit by digit.
"""

import re

from voz.text import numerals
from voz.text.reader.rule import Rule, rule

_END = r"(?![\d]|[.,-]\d)"
_BEGIN = r"(?<![\w.,/-])"
_WORDS = (
    r"(?:tel|cel|tel[eé]fonos?|celular(?:es)?|fijo|wh?ats?app|wsp|wpp|l{1,2}am[aáeo]\w{0,4}(?: al?)?|n[uú]mero es(?: el)?"
    r"|contacto|fax|m[oó]vil)"
)


def _phone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match["number"])
    plus = "más " if match["number"].startswith("+") else ""
    if plus and len(groups) == 1:
        groups = _national(groups[0])
    return plus + ", ".join(_group(group, is_prefix=place < len(groups) - 2 or len(group) <= 2) for place, group in enumerate(groups))


def _national(number: str) -> list[str]:
    """A number that is written in one piece, cut as Argentines write it: 54 9 11 4567 8901."""
    argentine = re.fullmatch(r"(54)(9?)(11|\d{3})(\d{3,4})(\d{4})", number)
    if argentine:
        return [group for group in argentine.groups() if group]
    return [number[max(0, at - 4) : at] for at in range(len(number) % 4 or 4, len(number) + 1, 4)]


def _group(group: str, *, is_prefix: bool) -> str:
    """A prefix of two digits, 011 and 0800 as numbers, other groups digit by digit."""
    if is_prefix and re.fullmatch("0[3-9]00|0[68]10|011", group):
        return f"cero {numerals.cardinal(group[1:])}"
    return numerals.cardinal(group) if is_prefix and len(group) <= 2 and group[0] != "0" else numerals.digits(group)


def _free_call(match: re.Match[str]) -> str:
    """0800 and its likes."""
    return ", ".join([f"cero {numerals.cardinal(match[1])}", *(numerals.digits(group) for group in re.findall(r"\d+", match[2]))])


def _cuit(match: re.Match[str]) -> str:
    return f"{numerals.cardinal(match[1])}, {numerals.cardinal(match[2].lstrip('0') or '0')}, {numerals.cardinal(match[3])}"


def _local(match: re.Match[str]) -> str:
    """4567-8901, unless it is a range of years or of round numbers."""
    first, last = match[1], match[2]
    if int(first) < int(last) and (1500 <= int(first) <= int(last) <= 2100 or (first.endswith("00") and last.endswith("00"))):
        return match[0]
    return f"{numerals.digits(first)}, {numerals.digits(last)}"


def _labelled(match: re.Match[str]) -> str:
    """A number in one piece after "tel." or "llamame al"."""
    number = match["number"]
    cut = re.fullmatch(r"(0?11|15|\d{3})(\d{3,4})(\d{4})", number)
    groups = list(cut.groups()) if cut else _national(number)
    return match["label"] + ", ".join(_group(group, is_prefix=place == 0) for place, group in enumerate(groups))


RULES: tuple[Rule, ...] = (
    rule(
        rf"{_BEGIN}(?P<number>\+\d{{1,3}}(?:[ -]?\(?\d{{1,5}}\)?){{1,6}}){_END}",
        lambda m: _phone(m) if len(re.findall(r"\d", m[0])) > 7 else m[0],
    ),
    rule(rf"{_BEGIN}(\d{{2}})-(\d{{7,8}})-(\d){_END}", _cuit),
    rule(rf"{_BEGIN}0([68][0-9]0)((?:[ -]\d{{2,4}}){{1,3}}){_END}", _free_call),
    rule(
        rf"{_BEGIN}(?P<number>\(?0?(?:11|[2-3]\d{{1,3}})(?:\) ?|[ -])(?:15[ -])?\d{{2,4}}[ -]\d{{4}}|15[ -]?\d{{2,4}}[ -]\d{{4}}){_END}",
        _phone,
    ),
    rule(rf"\b(?P<label>{_WORDS}\W{{1,3}})(?P<number>(?!0\d{{6}}\b)\d{{7,13}}){_END}", _labelled),
    rule(
        rf"\b(?P<label>{_WORDS}\W{{1,3}})(?P<number>\d{{2,4}}[ -]\d{{2,4}}(?:[ -]\d{{2,4}}){{0,2}}){_END}",
        lambda match: match["label"] + _phone(match),
    ),
    rule(rf"{_BEGIN}(\d{{4}})-(\d{{4}}){_END}", _local),
    rule(r"\b(?:DNI|D\.N\.I\.)(\W{1,3})(\d{7,8})(?!\d)", lambda match: f"de ene i{match[1]}{numerals.cardinal(match[2])}"),
)
