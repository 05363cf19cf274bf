"""Spanish text on its way to the model and back: what XTTS reads, what a listener would write, where to cut.

The normaliser leaves no digit and no sign that coqui's own cleaner would touch: coqui reads `$` as "dolar", a decimal
comma as "punto", and has one table for the whole Spanish-speaking world. Here `$` is pesos and 14:30 hs is an hour.
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
    """What XTTS reads: everything in words, letters and plain punctuation only, one line. Case is kept; idempotent."""
    text = unicodedata.normalize("NFC", text).translate(_QUOTES)
    text = "".join(_plain(c) for c in text)
    for rule in (_abbreviations, _times, _money, _dates, _ordinals, _units, _signs, _numbers):
        text = rule(text)
    return tidy(text)


def spoken(text: str) -> str:
    """What is heard, for comparing texts: words in lower case with single spaces, accents kept, no punctuation."""
    return " ".join(re.findall(r"[^\W\d_]+", normalize(text).lower()))


def _plain(c: str) -> str:
    """One character: white space becomes a space; marks, emoji, controls and private signs vanish."""
    if c.isspace():
        return " "
    return c if c in "$€%&@#°+=²|" or unicodedata.category(c) in ("Ll", "Lu", "Lo", "Nd", "Po", "Pd", "Ps", "Pe") else ""


def _abbreviations(text: str) -> str:
    """With their dot: "Dr.", "etc."; the dot that also ends the sentence stays. N° and nº are numbers."""
    text = re.sub(r"\b[nN][°º]\s*(?=\d)", "número ", text)
    for short, full in _ABBREVIATIONS:

        def say(match: re.Match[str], full: str = full) -> str:
            return _expanded(match, full)

        text = re.sub(rf"\b(?:{short})\.(?P<end>\s*\Z|\s+(?=[A-ZÁÉÍÓÚÑ¿¡]))?", say, text, flags=re.IGNORECASE)
    return re.sub(r"\bsiglo ([XVI]+)\b", lambda m: f"siglo {numerals.cardinal(str(_roman(m[1])))}", text)


def _expanded(match: re.Match[str], full: str) -> str:
    """Titles stand before a capital without ending anything; "etc." and units before one end the sentence."""
    last = match.end() == len(match.string)
    ends = match["end"] is not None and (last or full in ("etcétera", "minutos", "segundos"))
    word = full.capitalize() if match[0][0].isupper() and not full[0].isupper() else full
    return f"{word}{'.' if ends else ''}{match['end'] or ''}"


def _times(text: str) -> str:
    """14:30, 15hs, 9:05 h: the hour is feminine and in words."""
    text = re.sub(
        r"\b([01]?\d|2[0-4]):([0-5]\d)(?::[0-5]\d)?(\s*(?:hs|hrs?|h)\b(?:\.(?=\s+[a-záéíóúñ]))?)?",
        lambda m: _clock(m[1], m[2], bool(m[3])),
        text,
    )
    return re.sub(r"\b([01]?\d|2[0-4])\s*(?:hs|hrs?)\b(?:\.(?=\s+[a-záéíóúñ]))?", lambda m: _clock(m[1], "00", True), text)


def _clock(hour: str, minute: str, named: bool) -> str:
    words = numerals.cardinal(str(int(hour)), noun="horas")
    if int(minute):
        words += f" y {numerals.cardinal(str(int(minute)))}"
    return words + (" horas" if named and int(hour) != 1 else " hora" if named else "")


def _money(text: str) -> str:
    """$ is pesos; US$, u$s and USD are dollars. "$2 millones" is two million pesos."""
    for sign, one, many in (
        (r"(?:US\$|U\$S|U\$D|USD)", "dólar", "dólares"),
        (r"(?:ARS|AR\$|\$)", "peso", "pesos"),
        (r"(?:€|EUR)", "euro", "euros"),
    ):
        amount = rf"(?P<n>{_NUMBER})(?:\s*(?P<times>{_MULTIPLES})\b)?"

        def say(match: re.Match[str], one: str = one, many: str = many) -> str:
            return _amount(match["n"], match["times"] or "", one, many)

        text = re.sub(rf"(?<!\w){sign}\s?{amount}(?:\s*(?:{one}|{many}))?(?!\w)", say, text, flags=re.IGNORECASE)
        text = re.sub(rf"\b{amount}\s?{sign}(?!\w)", say, text, flags=re.IGNORECASE)
    return text


def _amount(value: str, times: str, one: str, many: str) -> str:
    if times:
        of = "" if times.lower() == "mil" else "de "
        slang = times.lower().rstrip("s") in ("palo", "luca", "gamba")
        return f"{numerals.number(value, noun=times)} {times}" + ("" if slang else f" {of}{many}")
    whole, fraction = numerals.split(value)
    words = f"{numerals.cardinal(whole, noun=one)} {one if whole == '1' else many}"
    if re.fullmatch(r"1?0{6}|[1-9]0{6}", whole):
        words = f"{numerals.cardinal(whole)} de {many}"
    cents = fraction[:2].ljust(2, "0") if fraction else "00"
    return (
        words
        if cents == "00"
        else f"{words} con {numerals.cardinal(str(int(cents)), noun='centavo')} centavo{'' if cents == '01' else 's'}"
    )


def _dates(text: str) -> str:
    """25/5 and 25/5/2024 as day and month; the few fractions people write are fractions."""

    def say(match: re.Match[str]) -> str:
        day, month, year = int(match[1]), int(match[2]), match[3]
        if match[0] in _FRACTIONS:
            return _FRACTIONS[match[0]]
        if not (1 <= day <= 31 and 1 <= month <= 12):
            return match[0]
        words = f"{'primero' if day == 1 else numerals.cardinal(str(day))} de {_MONTHS[month - 1]}"
        return words + (f" de {numerals.cardinal(year if len(year) == 4 else str(int(year) + 2000))}" if year else "")

    return re.sub(r"(?<![\d/])(\d{1,2})/(\d{1,2})(?:/(\d{4}|\d{2}))?(?![\d/])", say, text)


def _ordinals(text: str) -> str:
    """1º, 3er, 2da, 5ta, and the first of a month."""
    text = re.sub(rf"\b1(?= de (?:{'|'.join(_MONTHS)}))", "primero", text)
    endings = (
        r"(?P<short>er|[º°](?= [a-záéíóúñ]+)(?! (?:de|y|o|en|a)\b))|(?P<female>ª|ra|da|ta|va|ma|na)|º|°(?= ?[a-záéíóúñ])|ro|do|to|vo|mo|no"
    )
    return re.sub(
        rf"\b(?P<n>\d+)\.?(?:{endings})(?!\w)",
        lambda m: numerals.ordinal(m["n"], feminine=bool(m["female"]), short=bool(m["short"])),
        text,
        flags=re.IGNORECASE,
    )


def _units(text: str) -> str:
    """A number with a unit, in singular after one."""
    for unit, one, many in _UNITS:

        def say(match: re.Match[str], one: str = one, many: str = many) -> str:
            return f"{numerals.number(match[1], noun=one)} {one if match[1] in ('1', '-1') else many}"

        text = re.sub(rf"((?<![\w-])-?{_NUMBER}|{_NUMBER})\s?(?:{unit})(?!\w)", say, text, flags=re.IGNORECASE)
    return text


def _signs(text: str) -> str:
    """Signs in words; between numbers a dash is "a", an x is "por"."""
    text = re.sub(rf"\b({_NUMBER})\s?-\s?(?={_NUMBER})", r"\1 a ", text)
    text = re.sub(r"\b(\d+)\s?[xX]\s?(?=\d)", r"\1 por ", text)
    text = re.sub(r"\by/o\b", "y o", text)
    for sign, words in _SIGNS.items():
        text = text.replace(sign, words)
    return re.sub(r"\s*/\s*", " barra ", text).replace("²", " al cuadrado")


def _numbers(text: str) -> str:
    """What digits are left, agreeing with the next word. Letters stuck to a number are set apart: G20, 4K."""
    text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", text)
    return re.sub(
        rf"((?<![\w-])-(?=\d))?({_NUMBER})(?=(?:\s+([^\W\d_]+))?)", lambda m: numerals.number((m[1] or "") + m[2], noun=m[3] or ""), text
    )


def _roman(letters: str) -> int:
    values = [{"I": 1, "V": 5, "X": 10}[c] for c in letters]
    return sum(-v if any(w > v for w in values[i + 1 :]) else v for i, v in enumerate(values))


_TIDY: tuple[tuple[str, str | Callable[[re.Match[str]], str]], ...] = (
    (r"(?<!\w)-|-(?!\w)", ", "),  # a dash between thoughts is a pause; inside a word it stays
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
    """White space, doubled signs and lost punctuation put in order."""
    for pattern, replacement in _TIDY:
        text = re.sub(pattern, replacement, text)
    return text.strip()
