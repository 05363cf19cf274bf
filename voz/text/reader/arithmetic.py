"""Numbers with signs between them: 3-2, 30x40, 10^3, √2, 2 + 2, 4567/2023."""

import re

from voz.text import numerals
from voz.text.reader import acronym
from voz.text.reader.rule import NUMBER, Rule, rule

_POWERS = {"2": "al cuadrado", "3": "al cubo"}
_SIGNS = {"+": "más", "=": "igual a", "<": "menor que", ">": "mayor que", "×": "por", "÷": "dividido", "±": "más menos"}
_SIGNS |= {"≤": "menor o igual que", "≥": "mayor o igual que", "≈": "aproximadamente", "≠": "distinto de", "*": "por"}


def _power(match: re.Match[str]) -> str:
    exponent = match["exponent"]
    said = _POWERS.get(exponent) or f"a la {numerals.number(exponent)}"
    base = match["base"]
    return f"{numerals.number(base) if base[0].isdecimal() else acronym.spell(base)} {said}"


def _root(match: re.Match[str]) -> str:
    return f"raíz de {match[1]}"


def _between(match: re.Match[str]) -> str:
    return f"{match[1]} {_SIGNS[match[2]]} "


def _sets(match: re.Match[str]) -> str:
    """6-4 7-5: the sets of a match."""
    return re.sub(r",? (?=\d-)", ", ", match[0]).replace("-", " ")


JOINTS: tuple[Rule, ...] = (  # before money and units, so that "30x40 cm" and "5-10 km" stay one quantity
    rule(r"\b((?:los|años|las|generación|década del?) \d0)'?s\b", r"\1"),  # los 90s
    rule(r"(?<=\d)\.-(?!\d)", ""),  # $ 1.500.-
    rule(r"(?<![\w.,-])(?:\d-){2,4}\d(?![\w-])", lambda match: match[0].replace("-", " ")),  # a formation: 4-3-3
    rule(r"(?<![\w.,/-])\d{1,2}(?:-\d{1,2}){2,9}(?![\w/-])", lambda match: match[0].replace("-", ", ")),
    rule(r"(?<![\w.,-])[0-7]-[0-7](?:,? [0-7]-[0-7]){1,4}(?![\w-])", _sets),
    rule(r"(?<![\w.,-])(\d{1,2}) ?- ?1(?![\w.,:/%°º]|-)(?! ?=)", r"\1 a uno"),  # a score
    rule(r"(?<![\w.,])(\d{1,2} a )1(?=[!?,;.)]*(?:\Z| (?:(?-i:[A-Z])|contra\b|con\b|en\b|al?\b|y\b|gan|perd|empat|ja)))", r"\1uno"),
    rule(r"(?<=%) ?- ?(?=\d)", " a "),
    rule(rf"({NUMBER}) ?- ?(?={NUMBER} ?=)", r"\1 menos "),
    rule(rf"({NUMBER}) ?- ?(?=\d)", r"\1 a "),
    rule(rf"({NUMBER}) ?[x×] ?(?=\d|\$ ?\d|U\$S ?\d)", r"\1 por "),
    rule(r"(?<![\w])x ?(?=\d|\$ ?\d|U\$S ?\d)", "por "),
    rule(rf"({NUMBER}[%\"]?) ?(\*) ?(?=\d)", _between),
)
RULES: tuple[Rule, ...] = (
    rule(rf"(?P<base>{NUMBER}|(?<!\w)[a-z])\^(?P<exponent>-?\d{{1,9}})(?!\w)", _power),
    rule(rf"√ ?\(?({NUMBER}|(?<=\(|√| )[a-z])\)?", _root),
    rule(r"(?<![\w.,])1:(?=\d{3,})", "uno en "),
    rule(rf"({NUMBER}|\w)? ?([<>]) ?(?={NUMBER})", lambda match: f"{match[1] or ''} {_SIGNS[match[2]]} "),
    rule(rf"({NUMBER})/(?=\d)", r"\1 barra "),
    rule(rf"({NUMBER}):(?=\d)", r"\1 a "),
)
LEFT = {sign: f" {said} " for sign, said in _SIGNS.items() if sign not in "<>*"}
