"""Spanish numbers in words, as Rioplatense speakers read them aloud: gender, apocope, ordinals, decimals."""

import re

from num2words import num2words

FUNCTION_WORDS = frozenset(  # a number does not agree with these when they follow it
    """
    a al ante bajo como con cuando de del desde e el ella en entre es eran está estaban están
    fue fueron ha hasta la las le les lo los más menos
    me ni no nos o para pero por porque que se según si sin sobre son te tiene tenía u un una vos y ya yo
    """.split()
)
_MASCULINE_IN_A = frozenset(  # masculine nouns that look feminine to _FEMININE
    ("día", "días", "mapa", "mapas", "problema", "problemas", "programa", "programas", "tema", "temas", "sistema", "sistemas")
)
_FEMININE = re.compile(
    r"(?:a|as|ción|ciones|sión|siones|dad|dades|vez|veces|noche|noches|calle|calles|clase|clases|parte|partes|luz|luces)\Z"
)
_ORDINALS = ("", "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "séptimo", "octavo", "noveno", "décimo")
_LONGEST_NUMBER = 7  # digits; a longer one, or one with a leading zero, is a telephone or document number: read digit by digit


def cardinal(digits: str, *, noun: str = "") -> str:
    """An integer in words, in agreement with the noun that follows it (empty if none does).

    "21" with the noun "pesos" is "veintiún", with "personas" "veintiuna", alone "veintiuno".
    """
    if len(digits) > _LONGEST_NUMBER or (len(digits) > 1 and digits.startswith("0")):
        return " ".join(num2words(int(digit), lang="es") for digit in digits)
    words = re.sub(r"\bveintiuno mil\b", "veintiún mil", num2words(int(digits), lang="es"))
    words = re.sub(r"\buno (mil|millones)\b", r"un \1", words)
    noun = noun.lower()
    if not noun or noun in FUNCTION_WORDS:
        return words
    if noun not in _MASCULINE_IN_A and _FEMININE.search(noun):
        words = re.sub(r"cientos\b", "cientas", words)
        words = re.sub(r"quinientos\b", "quinientas", words)
        return re.sub(r"uno\Z", "una", words)
    return re.sub(r"uno\Z", "un", re.sub(r"veintiuno\Z", "veintiún", words))


def ordinal(digits: str, *, feminine: bool, short: bool) -> str:
    """An ordinal up to the tenth ("primero", "tercera"); above that the cardinal, as speakers say it ("piso veinte").

    Args:
        feminine: "tercera" instead of "tercero".
        short: the form before a masculine noun, "primer" and "tercer".
    """
    number = int(digits)
    if not 0 < number < len(_ORDINALS):
        return cardinal(digits)
    word = _ORDINALS[number]
    if short and number in (1, 3):
        return word[:-1]
    return word[:-1] + "a" if feminine else word


def number(text: str, *, noun: str = "") -> str:
    """A number as written in Argentina, in words: "1.500" has a thousands dot, "1,5" a decimal comma, "1.5" a decimal dot.

    "1,500" is read as 1500: Whisper also writes thousands with a comma, and nobody says one and a half with three decimals.
    """
    sign, text = ("menos ", text[1:]) if text.startswith("-") else ("", text)
    whole, fraction = split(text)
    if fraction:
        leading_zeros = len(fraction) - len(fraction.lstrip("0"))
        decimals = ["cero"] * leading_zeros + ([cardinal(fraction.lstrip("0"))] if fraction.strip("0") else [])
        return f"{sign}{cardinal(whole)} coma {' '.join(decimals)}"
    return sign + cardinal(whole, noun=noun)


def split(text: str) -> tuple[str, str]:
    """The digits before and after the decimal mark, without thousands marks; the second is empty if there is no decimal mark."""
    if re.fullmatch(r"[1-9]\d{0,2}([.,])\d{3}(?:\1\d{3})*", text):
        return re.sub(r"[.,]", "", text), ""
    match = re.fullmatch(r"([1-9]\d{0,2}(?:\.\d{3})+|\d+),(\d+)", text) or re.fullmatch(r"([1-9]\d{0,2}(?:,\d{3})+|\d+)\.(\d+)", text)
    if match:
        return re.sub(r"[.,]", "", match[1]), match[2]
    return re.sub(r"[.,]", "", text), ""
