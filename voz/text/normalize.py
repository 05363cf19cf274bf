"""Text normalisation for Rioplatense Spanish: numbers, units, abbreviations and signs written out as they are read aloud.

The result holds no digit and no sign that coqui-tts's own cleaner would change. That cleaner reads `$` as "dolar" and a
decimal comma as "punto", the same for every Spanish-speaking country. Here `$` is pesos, and "14:30 hs" is a time of day.
"""

import re
import unicodedata
from collections.abc import Callable

from voz.text import numerals

_NUMBER = r"\d+(?:[.,]\d+)*"
_MULTIPLES = r"mil|mill(?:ón|ones)|palos?|lucas?|gambas?"
_MONTHS = ("enero", "febrero", "marzo", "abril", "mayo", "junio", "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre")
_FRACTIONS = {
    "1/2": "medio",
    "1/3": "un tercio",
    "2/3": "dos tercios",
    "1/4": "un cuarto",
    "3/4": "tres cuartos",
    "24/7": "veinticuatro siete",
}
_UNITS_TABLE = """
km/h = kilómetro por hora, kilómetros por hora
kms? = kilómetro, kilómetros
m²|m2 = metro cuadrado, metros cuadrados
mts?|m = metro, metros
cms? = centímetro, centímetros
mm = milímetro, milímetros
kgs?|kilos? = kilo, kilos
gr?s? = gramo, gramos
lts?|l = litro, litros
ml = mililitro, mililitros
cc = centímetro cúbico, centímetros cúbicos
hs|hrs?|h = hora, horas
mins? = minuto, minutos
segs? = segundo, segundos
°c|ºc|°|º(?= grados) = grado, grados
gb = giga, gigas
mb = mega, megas
"""
_ABBREVIATIONS_TABLE = r"""
dres = doctores
dras = doctoras
dra = doctora
dr = doctor
sres = señores
sras = señoras
srta = señorita
sra = señora
sr = señor
uds = ustedes
ud = usted
av|avda = avenida
pcia = provincia
profa = profesora
prof = profesor
ing = ingeniero
lic = licenciado
arq = arquitecto
gral = general
cnel = coronel
sto = santo
sta = santa
etc = etcétera
págs = páginas
pág = página
tel = teléfono
aprox = aproximadamente
de?pto = departamento
bs\. ?as = Buenos Aires
ee\. ?uu = Estados Unidos
p\. ?ej = por ejemplo
a\. ?m = de la mañana
p\. ?m = de la tarde
min = minutos
seg = segundos
cía = compañía
nro|núm = número
"""
_UNITS = [(unit, *full.split(", ")) for unit, full in (line.split(" = ") for line in _UNITS_TABLE.strip().splitlines())]
_ABBREVIATIONS = [line.split(" = ") for line in _ABBREVIATIONS_TABLE.strip().splitlines()]
_SIGNS = {
    "%": " por ciento",
    "$": " pesos",
    "€": " euros",
    "&": " y ",
    "@": " arroba ",
    "#": " numeral ",
    "°": " grados",
    "+": " más ",
    "=": " igual a ",
}
_QUOTES = str.maketrans(dict.fromkeys('"“”„«»*_~`<>[]{}^\\', "") | {"‘": "'", "’": "'", "…": "...", "–": "-", "—": "-", "−": "-", "|": ","})


def normalize(text: str) -> str:
    """The text for XTTS: one line of letters and plain punctuation, everything else in words. Keeps case; idempotent."""
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    text = "".join(_plain(char) for char in text)
    for rule in (_abbreviations, _times, _money, _dates, _ordinals, _units, _signs, _numbers):
        text = rule(text)
    return tidy(text)


def spoken(text: str) -> str:
    """The words alone, for comparing texts (error rates, duplicates): lower case, accents kept, single spaces, no punctuation."""
    return " ".join(re.findall(r"[^\W\d_]+", normalize(text).lower()))


def unread(text: str) -> str:
    """The signs that stand for words and that `normalize` drops because it has no reading for them, each once: ½, £, ×."""
    signs = (char for char in unicodedata.normalize("NFC", text) if unicodedata.category(char) in ("No", "Nl", "Sc", "Sm"))
    return "".join(dict.fromkeys(char for char in signs if char not in _SIGNS and char not in "²|<>~"))


def _plain(char: str) -> str:
    """One character: white space becomes a space; combining marks, emoji, control and private-use characters are dropped."""
    if char.isspace():
        return " "
    return char if char in "$€%&@#°+=²|" or unicodedata.category(char) in ("Ll", "Lu", "Lo", "Nd", "Po", "Pd", "Ps", "Pe") else ""


def _abbreviations(text: str) -> str:
    """Write out abbreviations with their dot ("Dr.", "etc."), N° and nº, and the Roman number of a century ("siglo XXI")."""
    text = re.sub(r"\b[nN][°º]\s*(?=\d)", "número ", text)
    for short, full in _ABBREVIATIONS:

        def expand(match: re.Match[str], full: str = full) -> str:
            return _expanded(match, full)

        text = re.sub(rf"\b(?:{short})\.(?P<end>\s*\Z|\s+(?=[A-ZÁÉÍÓÚÑ¿¡]))?", expand, text, flags=re.IGNORECASE)
    return re.sub(r"\bsiglo ([XVI]+)\b", lambda match: f"siglo {numerals.cardinal(str(_roman(match[1])))}", text)


def _expanded(match: re.Match[str], full: str) -> str:
    """The full word, with a dot if the abbreviation's dot also ended the sentence.

    It did at the end of the text. Before a capital it did for "etc." and for units, but not for titles: "Dr. Pérez".
    """
    at_end = match.end() == len(match.string)
    ends_sentence = match["end"] is not None and (at_end or full in ("etcétera", "minutos", "segundos"))
    word = full.capitalize() if match[0][0].isupper() and not full[0].isupper() else full
    return f"{word}{'.' if ends_sentence else ''}{match['end'] or ''}"


def _times(text: str) -> str:
    """Write out times of day: 14:30, 15hs, 9:05 h. Hours are feminine: "la una", "veintiuna horas"."""
    unit_end = r"\b(?:\.(?=\s+[a-záéíóúñ]))?"  # with its dot, unless that dot ends the sentence
    text = re.sub(
        rf"\b([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?(\s*(?:hs|hrs?|h){unit_end})?",
        lambda match: _clock(match[1], match[2], with_unit=bool(match[3])),
        text,
    )
    return re.sub(rf"\b([01]?\d|2[0-4])\s*(?:hs|hrs?){unit_end}", lambda match: _clock(match[1], "00", with_unit=True), text)


def _clock(hour: str, minute: str, *, with_unit: bool) -> str:
    words = numerals.cardinal(str(int(hour)), noun="horas")
    if int(minute):
        words += f" y {numerals.cardinal(str(int(minute)))}"
    return words + (" horas" if with_unit and int(hour) != 1 else " hora" if with_unit else "")


def _money(text: str) -> str:
    """Write out amounts of money: $ is pesos; US$, u$s and USD are dollars. "$2 millones" is "dos millones de pesos"."""
    for sign, singular, plural in (
        (r"(?:US\$|U\$S|U\$D|USD)", "dólar", "dólares"),
        (r"(?:ARS|AR\$|\$)", "peso", "pesos"),
        (r"(?:€|EUR)", "euro", "euros"),
    ):
        amount = rf"(?P<number>{_NUMBER})(?:\s*(?P<multiple>{_MULTIPLES})\b)?"

        def expand(match: re.Match[str], singular: str = singular, plural: str = plural) -> str:
            return _amount(match["number"], match["multiple"] or "", singular, plural)

        text = re.sub(rf"(?<!\w){sign}\s?{amount}(?:\s*(?:{singular}|{plural}))?(?!\w)", expand, text, flags=re.IGNORECASE)
        text = re.sub(rf"\b{amount}\s?{sign}(?!\w)", expand, text, flags=re.IGNORECASE)
    return text


def _amount(value: str, multiple: str, singular: str, plural: str) -> str:
    if multiple:
        of = "" if multiple.lower() == "mil" else "de "
        slang = multiple.lower().rstrip("s") in ("palo", "luca", "gamba")  # "cinco lucas": the currency is not said
        return f"{numerals.number(value, noun=multiple)} {multiple}" + ("" if slang else f" {of}{plural}")
    whole, fraction = numerals.split(value)
    words = f"{numerals.cardinal(whole, noun=singular)} {singular if whole == '1' else plural}"
    if re.fullmatch(r"1?0{6}|[1-9]0{6}", whole):
        words = f"{numerals.cardinal(whole)} de {plural}"
    cents = fraction[:2].ljust(2, "0") if fraction else "00"
    if cents == "00":
        return words
    return f"{words} con {numerals.cardinal(str(int(cents)), noun='centavo')} centavo{'' if cents == '01' else 's'}"


def _dates(text: str) -> str:
    """Write out dates, 25/5 and 25/5/2024, and the few fractions that people write that way: 3/4, 24/7."""

    def expand(match: re.Match[str]) -> str:
        day, month, year = int(match[1]), int(match[2]), match[3]
        if match[0] in _FRACTIONS:
            return _FRACTIONS[match[0]]
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return match[0]
        words = f"{'primero' if day == 1 else numerals.cardinal(str(day))} de {_MONTHS[month - 1]}"
        return words + (f" de {numerals.cardinal(year if len(year) == 4 else str(int(year) + 2000))}" if year else "")

    return re.sub(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/])", expand, text)


def _ordinals(text: str) -> str:
    """Write out ordinals: 1º, 3er, 2da, 5ta, and the first of a month."""
    text = re.sub(rf"\b1(?= de (?:{'|'.join(_MONTHS)}))", "primero", text)
    short = r"(?P<short>er|[º°](?= [a-záéíóúñ]+)(?! (?:de|y|o|en|a)\b))"  # 3er, or 1º before a noun
    endings = rf"{short}|(?P<feminine>ª|ra|da|ta|va|ma|na)|º|°(?= ?[a-záéíóúñ])|ro|do|to|vo|mo|no"
    return re.sub(
        rf"\b(?P<number>\d+)\.?(?:{endings})(?!\w)",
        lambda match: numerals.ordinal(match["number"], feminine=bool(match["feminine"]), short=bool(match["short"])),
        text,
        flags=re.IGNORECASE,
    )


def _units(text: str) -> str:
    """Write out numbers with a unit, in the singular after 1 and -1."""
    for unit, singular, plural in _UNITS:

        def expand(match: re.Match[str], singular: str = singular, plural: str = plural) -> str:
            return f"{numerals.number(match[1], noun=singular)} {singular if match[1] in ('1', '-1') else plural}"

        text = re.sub(rf"((?<![\w-])-?{_NUMBER}|{_NUMBER})\s?(?:{unit})(?!\w)", expand, text, flags=re.IGNORECASE)
    return text


def _signs(text: str) -> str:
    """Write out signs; between numbers a dash is "a" and an x is "por"."""
    text = re.sub(rf"\b({_NUMBER})\s?-\s?(?={_NUMBER})", r"\1 a ", text)
    text = re.sub(r"\b(\d+)\s?[xX]\s?(?=\d)", r"\1 por ", text)
    text = re.sub(r"\by/o\b", "y o", text)
    for sign, words in _SIGNS.items():
        text = text.replace(sign, words)
    return re.sub(r"\s*/\s*", " barra ", text).replace("²", " al cuadrado")


def _numbers(text: str) -> str:
    """Write out the remaining numbers, agreeing with the next word. Letters are separated from digits first: G20, 4K."""
    text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", text)

    def expand(match: re.Match[str]) -> str:
        return numerals.number((match[1] or "") + match[2], noun=match[3] or "")

    return re.sub(rf"((?<![\w-])-(?=\d))?({_NUMBER})(?=(?:\s+([^\W\d_]+))?)", expand, text)


def _roman(letters: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in letters]
    return sum(-value if any(later > value for later in values[i + 1 :]) else value for i, value in enumerate(values))


_TIDY: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<!\w)-|-(?!\w)", ", "),  # a dash between phrases is a pause; inside a word it stays
    (r"[§¶†‡•·]", " "),
    (r"\s+", " "),
    (r"\s+([.,;:!?)])", r"\1"),
    (r"([¿¡(])\s+", r"\1"),
    (r"([!?¿¡,;:])\1+", r"\1"),
    (r"\.{4,}", "..."),
    (r"(?<!\.)\.\.(?!\.)", "."),
    (r"[,;:]+(?=[.!?])", ""),
    (r"([.!?])[,;]+", r"\1"),
    (r",\s*([,;:])", r"\1"),
    (r"([,;:])(?=[^\W\d_])", r"\1 "),
    (r"^[\s.,;:)!?-]+", ""),
)


def tidy(text: str) -> str:
    """Clean up what replacements leave: white space, repeated signs, stray punctuation."""
    for pattern, replacement in _TIDY:
        text = re.sub(pattern, replacement, text)
    return text.strip()
