"""Spanish numbers in words, as Rioplatense speakers read them aloud: gender, apocope, ordinals, decimals."""

import functools
import re

from num2words import num2words

from voz.text.gender import FUNCTION_WORDS, is_feminine

_LONGEST = 18  # digits of a number that is read as a quantity; a longer one is read digit by digit
_ORDINALS = ("", "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo")
_TEENS = {11: "undécimo", 12: "duodécimo", 13: "decimotercero", 14: "decimocuarto", 15: "decimoquinto", 16: "decimosexto"}
_TEENS |= {17: "decimoséptimo", 18: "decimoctavo", 19: "decimonoveno"}
_TENS = ("", "", "vigésimo", "trigésimo", "cuadragésimo", "quincuagésimo", "sexagésimo", "septuagésimo", "octogésimo", "nonagésimo")


def digits(text: str) -> str:
    """Each digit by itself: "uno dos tres"."""
    return " ".join(_words(int(digit)) for digit in text if digit.isdecimal())


def cardinal(whole: str, *, noun: str = "") -> str:
    """An integer in words, in agreement with the noun that follows it (empty if none does).

    "21" with the noun "pesos" is "veintiún", with "personas" "veintiuna", alone "veintiuno". A number that starts with zero, or
    is too long to be a quantity, is read digit by digit.
    """
    if len(whole) > _LONGEST or (len(whole) > 1 and int(whole[0]) == 0):
        return digits(whole)
    words = _words(int(whole))
    noun = noun.lower()
    if not _is_counted(noun, one=int(whole) == 1):
        return words
    if is_feminine(noun):
        millions = re.match(r".*(?:ón|ones)\b", words)  # "doscientos millones" agrees with "millones"
        head, tail = (millions[0], words[millions.end() :]) if millions else ("", words)
        return head + re.sub(r"uno\Z", "una", re.sub(r"(cient|quinient)os\b", r"\1as", tail))
    return re.sub(r"uno\Z", "un", re.sub(r"veintiuno\Z", "veintiún", words))


def _is_counted(noun: str, *, one: bool) -> bool:
    """Whether a number agrees with the word that follows it: several things are in the plural, and "jaja" is no noun."""
    return bool(noun) and noun not in FUNCTION_WORDS and not re.match("(?:j[aeiou]){2}", noun) and (one or noun[-1] in "sn")


@functools.lru_cache(maxsize=4096)
def _words(value: int) -> str:
    words = re.sub(r"veintiuno(?= (?:mil|bill))", "veintiún", num2words(value, lang="es"))
    return re.sub(r"\buno(?= (?:mil|bill))", "un", words)


def ordinal(whole: str, *, feminine: bool = False, short: bool = False) -> str:
    """An ordinal up to the hundredth ("primero", "tercera", "vigésimo quinto"); above that the cardinal, as speakers say it.

    Args:
        feminine: "tercera" instead of "tercero".
        short: the form before a masculine noun, "primer" and "tercer".
    """
    value = int(whole) if len(whole) <= _LONGEST else 0
    if not 0 < value <= 100:
        return cardinal(whole)
    tens, ones = divmod(value, 10)
    if value <= 10:
        parts = [_ORDINALS[value]]
    elif value < 20:
        parts = [_TEENS[value]]
    else:
        parts = ["centésimo"] if value == 100 else [_TENS[tens], *([_ORDINALS[ones]] if ones else [])]
    if feminine:
        parts = [part[:-1] + "a" for part in parts]
    elif short and ones in (1, 3) and value != 11:
        parts[-1] = parts[-1][:-1]
    return " ".join(parts)


def number(text: str, *, noun: str = "") -> str:
    """A number as written in Argentina, in words: "1.500" has a thousands dot, "1,5" a decimal comma, "1.5" a decimal dot.

    "1,500" is read as 1500: Whisper also writes thousands with a comma, and nobody says one and a half with three decimals.
    """
    sign, text = ("menos ", text[1:]) if text.startswith("-") else ("", text)
    whole, fraction = split(text)
    if not fraction:
        return sign + cardinal(whole, noun=noun)
    rest = fraction.lstrip("0")
    decimals = [digits(fraction)] if len(rest) > 3 else [*["cero"] * (len(fraction) - len(rest)), *([cardinal(rest)] if rest else [])]
    return f"{sign}{cardinal(whole)} coma {' '.join(decimals)}"


def counted(text: str, singular: str, plural: str) -> str:
    """A number and what it counts: "un kilo", "dos coma cinco kilos", "veintiuna horas", "quince millones de pesos"."""
    whole, fraction = split(text.removeprefix("-"))
    noun = plural.split()[0]
    if int(whole[-_LONGEST:]) == 1 and not fraction:
        return f"{number(text, noun=noun)} {singular}"
    of_millions = not fraction and len(whole) > 6 and whole.endswith("000000")
    return f"{number(text, noun='' if of_millions else noun)} {'de ' if of_millions else ''}{plural}"


def before_mil(text: str, *, noun: str = "") -> str:
    """A number before "mil" and the noun after it: "veintiún" mil libras, "trescientas" mil personas."""
    return re.sub(r"\b(veinti)?un[oa]\Z", lambda one: "veintiún" if one[1] else "un", number(text, noun=noun or "pesos"))


def split(text: str) -> tuple[str, str]:
    """The digits before and after the decimal mark, without thousands marks; the second is empty if there is no decimal mark."""
    if re.fullmatch(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})*", text):
        return re.sub(r"[.,]", "", text), ""
    match = re.fullmatch(r"([1-9]\d{0,2}(?:\.\d{3})+|\d+),(\d+)", text) or re.fullmatch(r"([1-9]\d{0,2}(?:,\d{3})+|\d+)\.(\d+)", text)
    if match:
        return re.sub(r"[.,]", "", match[1]), match[2]
    return re.sub(r"[.,]", "", text), ""
