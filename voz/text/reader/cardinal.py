"""What is left of the digits: cardinal numbers, in agreement with the next word, and digit by digit what is too long to be one."""

import re

from voz.text import numerals
from voz.text.gender import FUNCTION_WORDS
from voz.text.reader.rule import LETTER, SIGNED, Rule, rule

_LONGEST = 7  # digits; a longer number without thousands marks is a label (an account, a code) and is read digit by digit


def _number(match: re.Match[str]) -> str:
    number = match["number"]
    plain = number.lstrip("-")
    if plain.isdecimal() and len(plain) > _LONGEST and not (plain.endswith("000") and len(plain) < 14 and plain[0] != "0"):
        return numerals.digits(plain)
    if match["mil"]:
        return numerals.before_mil(number, noun=match["noun"] or "")
    noun = match["noun"] or ""
    if len(noun) == 1:
        noun = ""
    whole, fraction = numerals.split(plain)
    of = " de" if noun and noun not in FUNCTION_WORDS and len(whole) > 6 and whole.endswith("000000") and not fraction else ""
    return numerals.number(number, noun="" if of else noun) + of


RULES: tuple[Rule, ...] = (
    rule(r"(?<!\w)'(?=\d\d\b)", ""),  # los '80
    rule(r"(?<=[A-Z][A-Z])-(?=\d)", " ", case=True),  # COVID-19
    rule(rf"(?<={LETTER})(?=\d)|(?<=\d)(?={LETTER})", " "),
    rule(rf"(?P<number>{SIGNED})(?=(?P<mil> mil(?:lones|l[oó]n)?\b)?(?: (?P<noun>{LETTER}+))?)", _number),
)
