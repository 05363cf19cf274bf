"""Roman numerals after names, centuries, chapters and before congresses: Juan Pablo II, siglo XXI, capítulo IV, II Guerra Mundial."""

import re

from voz.text import numerals
from voz.text.gender import is_feminine
from voz.text.reader.rule import Rule, rule

_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_VALID = re.compile(r"(?=[IVXLCDM])M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_COUNTED = (
    "siglos?|cap[ií]tulos?|cap\\.|tomos?|actos?|escenas?|partes?|libros?|t[ií]tulos?|anexos?|secci[oó]n|vol[uú]men|vol\\.|fases?|tipos?|niveles|nivel"
    "|clases?|grupos?|etapas?|art[ií]culos?|art\\.|inciso|temporadas?|episodios?|fase|unidad|m[oó]dulos?|regi[oó]n|punto|ley|nota|lecci[oó]n"
)
_RULERS = frozenset(
    """
    Juan Pablo Pedro Benedicto Pío León Gregorio Luis Carlos Felipe Fernando Alfonso Enrique Isabel Jorge Eduardo Ricardo Guillermo Napoleón
    Nicolás Alejandro Catalina María Clemente Inocencio Urbano Sixto Julio Francisco José Federico Ramsés Leopoldo Balduino Margarita
    Victoria Gustavo Manuel Sancho Jaime Ramiro Amadeo Humberto Víctor Otón Adriano Bonifacio Celestino Constantino Cristián Darío Esteban
    Iván Jacobo Jerjes Leonor Martín Mehmet Pipino Rodolfo Segismundo Teodosio Ana Beatriz Cristina Alberto Raniero Haakon Olaf
    """.split()
)


def value(letters: str) -> int:
    """The number that Roman digits stand for."""
    numbers = [_VALUES[letter] for letter in letters]
    return sum(-number if number < following else number for number, following in zip(numbers, [*numbers[1:], 0], strict=True))


def _valid(letters: str) -> bool:
    return _VALID.fullmatch(letters) is not None


def _counted(match: re.Match[str]) -> str:
    """siglo XX, tomo II. A single C, D, L or M is a letter: tipo C, clase L."""
    label, letters = match[1], match[2]
    return f"{label}{numerals.cardinal(str(value(letters)))}" if _valid(letters) and letters not in "CDLM" else match[0]


def _named(match: re.Match[str]) -> str:
    """After a name. Rulers up to the tenth have an ordinal, all others the number: Luis catorce, Rocky cuatro."""
    name, letters = match["name"], match["letters"]
    if not _valid(letters) or (name not in _RULERS and (len(letters) == 1 or set(letters) - set("IVX"))):
        return match[0]
    number = value(letters)
    if name in _RULERS and number <= 10:
        return f"{name} {numerals.ordinal(str(number), feminine=is_feminine(name) or name in ('Isabel', 'Leonor', 'Beatriz'))}"
    return f"{name} {numerals.cardinal(str(number))}"


def _before_noun(match: re.Match[str]) -> str:
    """Before what is counted: II Guerra Mundial, el I Congreso."""
    letters, noun = match["letters"], match["noun"]
    if not _valid(letters) or (len(letters) == 1 and not match["article"]):
        return match[0]
    feminine = is_feminine(noun)
    said = numerals.ordinal(str(value(letters)), feminine=feminine, short=not feminine)
    return f"{match['article'] or ''}{said} {noun}"


def _alone(match: re.Match[str]) -> str:
    return numerals.cardinal(str(value(match[0]))) if _valid(match[0]) else match[0]


RULES: tuple[Rule, ...] = (
    rule(rf"\b((?:{_COUNTED}) )((?-i:[IVXLC]{{1,9}}))(?![\w-])", _counted),
    rule(
        r"(?P<article>\b(?:[Ee]l|[Ll]a|[Dd]el|[Aa]l|[Uu]n|[Uu]na) )?(?<![\w.])(?P<letters>[IVX]{1,7}) (?P<noun>[A-ZÁÉÍÓÚÑ][a-záéíóúñ]{3,})",
        _before_noun,
        case=True,
    ),
    rule(r"\b(?P<name>[A-ZÁÉÍÓÚÑ][a-záéíóúñ]+) (?P<letters>[IVXLCDM]{1,7})(?![\w'-])", _named, case=True),
    rule(r"(?<![\w.-])(?:I{2,3}|I[VX]|VI{2,3}|X[IVX]{1,5})(?![\w-])", _alone, case=True),
)
