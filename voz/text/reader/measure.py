"""Numbers with a unit: 5 km, 80 km/h, 3 m², 220 V, 55", 3 ha; and K, M and G after a number."""

import re

from voz.text import numerals
from voz.text.reader import money
from voz.text.reader.rule import DOT, LETTER, NUMBER, SIGNED, rule

# Short forms, then one and several. A form of one letter is read in that case only; longer ones also in other cases (KM, Kg).
_UNITS_TABLE = """
km kms = kilómetro, kilómetros
hm = hectómetro, hectómetros
m mt mts mtrs = metro, metros
dm = decímetro, decímetros
cm cms = centímetro, centímetros
mm = milímetro, milímetros
μm = micrómetro, micrómetros
kg kgs kilo kilos = kilo, kilos
g gr grs gs = gramo, gramos
mg = miligramo, miligramos
mcg μg = microgramo, microgramos
t tn tns ton = tonelada, toneladas
l L lt lts ltr ltrs = litro, litros
ml cl = mililitro, mililitros
hl = hectolitro, hectolitros
dl = decilitro, decilitros
cc = centímetro cúbico, centímetros cúbicos
ha has hás = hectárea, hectáreas
h hs hr hrs = hora, horas
min mins = minuto, minutos
seg segs = segundo, segundos
s = segundo, segundos
ms = milisegundo, milisegundos
W Wts = vatio, vatios
kW = kilovatio, kilovatios
MW = megavatio, megavatios
GW = gigavatio, gigavatios
kWh = kilovatio hora, kilovatios hora
MWh = megavatio hora, megavatios hora
Wh = vatio hora, vatios hora
V = voltio, voltios
kV = kilovoltio, kilovoltios
mV = milivoltio, milivoltios
mA = miliamper, miliamperes
mAh = miliamper hora, miliamperes hora
Ah = amper hora, amperes hora
Hz = hercio, hercios
kHz = kilohercio, kilohercios
MHz = megahercio, megahercios
GHz = gigahercio, gigahercios
dB = decibel, decibeles
Pa = pascal, pascales
hPa = hectopascal, hectopascales
kPa = kilopascal, kilopascales
MPa = megapascal, megapascales
mmHg = milímetro de mercurio, milímetros de mercurio
atm = atmósfera, atmósferas
kJ = kilojoule, kilojoules
cal = caloría, calorías
kcal = kilocaloría, kilocalorías
KB = kilobyte, kilobytes
MB = mega, megas
GB = giga, gigas
TB = tera, teras
bps = bit por segundo, bits por segundo
kbps = kilobit por segundo, kilobits por segundo
Mbps Mbit Mbits mbs = megabit por segundo, megabits por segundo
Gbps = gigabit por segundo, gigabits por segundo
fps = cuadro por segundo, cuadros por segundo
px = píxel, píxeles
dpi = punto por pulgada, puntos por pulgada
rpm = revolución por minuto, revoluciones por minuto
ppm = parte por millón, partes por millón
kmh kph = kilómetro por hora, kilómetros por hora
mph = milla por hora, millas por hora
HP CV = caballo, caballos
lb lbs = libra, libras
oz = onza, onzas
yd = yarda, yardas
ft = pie, pies
% = por ciento, por ciento
‰ = por mil, por mil
° °C ºC º = grado, grados
°F ºF = grado Fahrenheit, grados Fahrenheit
°K = kelvin, kelvin
u unid = unidad, unidades
pers = persona, personas
hab habs = habitante, habitantes
pto ptos pts pt = punto, puntos
pág págs pag pags = página, páginas
amb ambs = ambiente, ambientes
dorm dorms = dormitorio, dormitorios
cdra cdras = cuadra, cuadras
doc docs = docena, docenas
cda cdas = cucharada, cucharadas
cdta cdtas cdita cditas = cucharadita, cucharaditas
comp comps = comprimido, comprimidos
"""
_MEMORY = frozenset(str(2**power) for power in range(12))  # of a phone or a disk: 64G are gigas, 100G grams
_POWERS = {"2": ("cuadrado", "cuadrados"), "3": ("cúbico", "cúbicos")}
_EXACT: dict[str, tuple[str, str]] = {}
for _line in _UNITS_TABLE.strip().splitlines():
    _forms, _names = _line.split(" = ")
    _one, _more = _names.split(", ")
    _EXACT |= dict.fromkeys(_forms.split(), (_one, _more))
_FOLDED = {form.lower(): said for form, said in reversed(_EXACT.items()) if len(form) > 1}
_UNIT = rf"(?:[%‰]|[°º](?:[CFK](?!\w))?|(?:{LETTER}){{1,8}}(?:\^?[23](?!\d))?(?:/(?:{LETTER}){{1,5}}(?:\^?[23](?!\d))?)?)"


def names(unit: str) -> tuple[str, str] | None:
    """What a unit is called, for one and for several: "km/h", "m²" (as m2 or m^2), "kg"; None if it is no unit."""
    unit = unit.replace("²", "2").replace("³", "3").replace("^", "")
    if "/" in unit:
        above, below = (names(part) for part in unit.split("/", 1))
        return (f"{above[0]} por {below[0]}", f"{above[1]} por {below[0]}") if above and below else None
    if unit[-1:] in _POWERS and len(unit) > 1:
        base, power = names(unit[:-1]), _POWERS[unit[-1]]
        return (f"{base[0]} {power[0]}", f"{base[1]} {power[1]}") if base and base[0].endswith("metro") else None
    return _EXACT.get(unit) or _FOLDED.get(unit.lower() if len(unit) > 1 else "")


def _measure(match: re.Match[str]) -> str:
    said = names(match["unit"])
    if said is None or (match["unit"] == "u" and re.fullmatch(r" \d", match.string[match.end() : match.end() + 2])):  # 30 u 40
        return match[0]
    return numerals.counted(match["number"], *said) + (match["plus"] or "")


def _multiple(match: re.Match[str]) -> str:
    """10k = diez mil, 5M = cinco millones; 4K and 5G are names, 16G is memory."""
    number, letter = match["number"], match["letter"]
    if letter == "K" and number in ("2", "4", "5", "8"):
        return f"{numerals.number(number)} ka"
    if letter == "G":
        if number in ("2", "3", "4", "5", "6"):
            return f"{numerals.number(number)} ge"
        return numerals.counted(number, *(("giga", "gigas") if number in _MEMORY else ("gramo", "gramos")))
    return money.multiplied(number, letter)


def _of(match: re.Match[str]) -> str:
    """The unit after a bar: "pesos/kg" = pesos por kilo."""
    said = names(match["unit"])
    if said is None and match["money"]:
        said = (match["unit"], "")
    return match[0] if said is None else f"{match['money'] or ''} por {said[0]}"


def _alone(match: re.Match[str]) -> str:
    """A unit without a number: "por kilo", else "kilos"."""
    said = names(match["unit"])
    if said is None:
        return match[0]
    return said[0] if re.search(r"\b(?:por|x|el|un|cada) \Z", match.string[max(0, match.start() - 5) : match.start()]) else said[1]


def _kilos_and_grams(match: re.Match[str]) -> str:
    """3,250 kg: tres kilos doscientos cincuenta. With "kilos" in full it is Whisper's, who writes thousands with a comma too."""
    kilos, grams = match["kilos"], str(int(match["grams"]))
    if not int(kilos):
        return numerals.counted(grams, "gramo", "gramos")
    return f"{numerals.counted(kilos, 'kilo', 'kilos')} {numerals.cardinal(grams) if int(grams) else ''}".rstrip()


def _inches(text: str) -> str:
    """A double quote after a digit is inches, unless it closes a quotation."""
    is_open = False

    def read(match: re.Match[str]) -> str:
        nonlocal is_open
        if match[1] and not is_open:
            return numerals.counted(match[1], "pulgada", "pulgadas")
        is_open = not is_open
        return f"{match[1]} " if match[1] else match[0]

    return re.sub(rf"({NUMBER})?\"", read, text) if '"' in text else text


_MONEY = r"(?P<money>\b(?:pesos?|d[oó]lar(?:es)?|euros?|centavos?))?"
RULES = (
    _inches,
    rule(rf"(?<![\w.,-])(?P<kilos>\d{{1,3}}),(?P<grams>\d{{3}}) ?kgs?(?!\w){DOT}", _kilos_and_grams),
    rule(r"(?<![\w.,])0{3,4}(?!\w|[.,/-]\d)", lambda match: f"{numerals.cardinal(str(len(match[0])))} ceros"),  # harina 0000
    rule(r"(\b(?:un|el|los|al|del|vendo|compro|auto|moto|camioneta) )0 ?km\b", r"\1cero kilómetro"),
    rule(r"(\bcorr[eioíóa]\w* (?:los |unos )?\d{1,2}) ?k\b", r"\1 ka"),
    rule(r"(\bmotor \d)\.(?=\d(?![\d.,]))|(?<![\w.,])(\d)\.(?=\d (?:turbo|nafta|di[eé]sel|gnc|16v)\b)", r"\1\2 punto "),
    rule(rf"(?P<number>{NUMBER}) ?(?P<letter>[kKM]|MM)(?!\w|\^|/)", _multiple, case=True),
    rule(rf"(?P<number>{NUMBER})(?P<letter>G)(?!\w)", _multiple, case=True),
    rule(rf"\bkm\.? (?={NUMBER}\b)(?!\d+ (?:por|a la) )", "kilómetro "),
    rule(rf"(?<!{LETTER})(?P<number>{SIGNED}) ?(?P<unit>{_UNIT})(?P<plus>\+)?(?![\w^]){DOT}", _measure),
    rule(
        rf"{_MONEY}(?<=[\w]) ?/ ?(?P<unit>(?:{LETTER}){{1,5}}(?:\^?[23](?!\d))?)(?![\w/]){DOT}",
        _of,
    ),
    rule(r"(?<![\w/.'-])(?P<unit>(?:kgs?|kms?|cms|mts|hs|hrs|kwh|gb|mbps)(?:/[hl])?|km\^?2|m\^?[23])(?![\w/'-])" + DOT, _alone),
    rule(r"(?<!\w)(?P<unit>min|seg|hs)\.(?=\s?(?:[a-záéíóúñ]|$))", _alone),
)
