"""Amounts of money: $ is pesos; US$, U$S and USD are dollars. 10k, 2,3 M and 5 palos are multiples."""

import re

from voz.text import numerals
from voz.text.reader.rule import NUMBER, Rule, rule, table

_CURRENCIES = (  # sign or code, one, several, hundredths
    (r"(?:US\$|U\$S|U\$D|USD|U\$|usd)", "dólar", "dólares", "centavo"),
    (r"R\$", "real", "reales", "centavo"),
    (r"(?:ARS|AR\$|\$)", "peso", "pesos", "centavo"),
    (r"(?:€|EUR)", "euro", "euros", "centavo"),
    (r"(?:£|GBP)", "libra", "libras", "penique"),
    (r"(?:¥|JPY)", "yen", "yenes", "centavo"),
    (r"(?:₿|BTC)", "bitcoin", "bitcoins", "centavo"),
)
MULTIPLES = table(
    """
    k, mil = mil
    mil millones = mil millones
    m, mm, mill, millón, millon, millones = millones
    palo, palos = palos
    luca, lucas = lucas
    gamba, gambas = gambas
    """
)
_MULTIPLE = r"(?:(?P<multiple>mil(?: millones)?|mill(?:[oó]n(?:es)?)?\b\.?|palos?|lucas?|gambas?|k|MM?)(?!\w))"
_SLANG = ("palos", "lucas", "gambas")  # the currency is not said: "cinco lucas"


def multiplied(value: str, multiple: str, plural: str = "") -> str:
    """A number with its multiple, and what it counts: "dos coma tres millones de pesos", "diez mil pesos"."""
    word = MULTIPLES[multiple.lower().rstrip(".")]
    one = value == "1" and not word.startswith("mil ") and word != "mil"
    if one:
        word = {"millones": "millón"}.get(word, word[:-1])
    number = numerals.number(value, noun=word)
    if word == "mil":
        number = "" if value == "1" else numerals.before_mil(value, noun=plural)
        return f"{number} mil {plural}".strip()
    if not plural or word in _SLANG or word + "s" in _SLANG:
        return f"{number} {word}"
    return f"{number} {word} de {plural}"


def _amount(match: re.Match[str], one: str, more: str, hundredth: str) -> str:
    sign = "menos " if match["minus"] else ""
    value = match["number"]
    if match["multiple"]:
        return sign + multiplied(value, match["multiple"], more)
    whole, fraction = numerals.split(value)
    cents = (fraction[:2].ljust(2, "0") if len(fraction) < 3 else "") if fraction else "00"
    if not cents:
        return sign + numerals.counted(value, one, more)
    parts = []
    if int(whole[-18:]) or cents == "00":
        parts.append(numerals.counted(whole.lstrip("0") or "0", one, more))
    if cents != "00":
        parts.append(numerals.counted(str(int(cents)), hundredth, hundredth + "s"))
    return sign + " con ".join(parts)


def _rules() -> list[Rule]:
    found = []
    for sign, one, more, hundredth in _CURRENCIES:
        amount = rf"(?P<number>{NUMBER})(?: ?{_MULTIPLE})?"
        said = rf"(?: (?:de )?(?:{one}|{more})\b)?"

        def read(match: re.Match[str], one: str = one, more: str = more, hundredth: str = hundredth) -> str:
            return _amount(match, one, more, hundredth)

        found.append(rule(rf"(?<![\w$])(?P<minus>-)?{sign} ?(?:-(?=\d))?{amount}{said}(?!\w)", read))
        found.append(rule(rf"(?P<minus>(?<![\w-])-)?{amount} ?{sign}(?![\w$])", read))
    return found


RANGES: tuple[Rule, ...] = (  # $100-200: cien a doscientos pesos
    rule(
        rf"(?<![\w$])(?P<sign>US\$|U\$S|U\$D|USD|AR\$|\$|€) ?(?P<first>{NUMBER}) ?- ?(?:(?P=sign) ?)?(?={NUMBER})(?!\d+ ?=)",
        r"\g<first> a \g<sign>",
    ),
)
RULES: tuple[Rule, ...] = (
    *_rules(),
    rule(rf"({NUMBER}) ?¢", lambda match: numerals.counted(match[1], "centavo", "centavos")),
)
