"""Each kind of token is read as an Argentine says it. A line per kind: what is written, and what is said."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voz.text import normalize
from voz.text.reader import aloud

SAID = {
    "fraction": {
        "Traé ½ docena y ¼ kg de queso": "Traé media docena y un cuarto de kilo de queso",
        "esperé 1½ hora": "esperé una hora y media",
        "tardó 3 1/2 meses": "tardó tres meses y medio",
        "2/3 taza de leche": "dos tercios de taza de leche",
        'un caño de 3/8"': "un caño de tres octavos de pulgada",
        "1/4 de los vecinos": "un cuarto de los vecinos",
        "me puso un 9/10": "me puso un nueve sobre diez",
        "presión 120/75, talle 40/42": "presión ciento veinte setenta y cinco, talle cuarenta cuarenta y dos",
        "3 hs y 1/2, 1 kg y 1/2": "tres horas y media, un kilo y medio",
    },
    "money": {
        "vale $23.000.000": "vale veintitrés millones de pesos",
        "U$S 2,5 M": "dos coma cinco millones de dólares",
        "$ 750k": "setecientos cincuenta mil pesos",
        "$3 mil millones": "tres mil millones de pesos",
        "$200-300": "doscientos a trescientos pesos",
        "$ 4.500.- el kilo": "cuatro mil quinientos pesos el kilo",
        "a $900/kg": "a novecientos pesos por kilo",
        "$800 - $900, 4x$1000": "ochocientos a novecientos pesos, cuatro por mil pesos",
        "£3 y R$ 40": "tres libras y cuarenta reales",
        "1 palo, 21 lucas": "un palo, veintiuna lucas",
        "£21k, £ 21 mil, 31k": "veintiún mil libras, veintiún mil libras, treinta y un mil",
    },
    "cardinal": {
        "38.000.000 de votos": "treinta y ocho millones de votos",
        "2.000.000.000": "dos mil millones",
        "25000000 habitantes": "veinticinco millones de habitantes",
        "300 mil personas": "trescientas mil personas",
        "1 planeta, 31 noches, 21 manos": "un planeta, treinta y una noches, veintiuna manos",
        "la cuenta 123456789": "la cuenta uno dos tres cuatro cinco seis siete ocho nueve",
        "los '70 y los 60s": "los setenta y los sesenta",
        "Ley 20.441 art. 3, Belgrano 1521 planta baja": "Ley veinte mil cuatrocientos cuarenta y uno artículo tres, "
        "Belgrano mil quinientos veintiuno planta baja",
        "harina 000, 400 megas": "harina tres ceros, cuatrocientos megas",
    },
    "ordinal": {
        "la 2° fecha del 4° torneo": "la segunda fecha del cuarto torneo",
        "piso 7º, piso 11°": "piso séptimo, piso once",
        "Lavalle 2310 8° 41": "Lavalle dos mil trescientos diez octavo cuarenta y uno",
        "salió 3° en la tabla, 6° B": "salió tres grados en la tabla, sexto B",
        "la 25° edición": "la vigésima quinta edición",
        "hoy hace 35º": "hoy hace treinta y cinco grados",
        "1eros y 3era": "primeros y tercera",
        "el 1° de octubre": "el primero de octubre",
    },
    "clock": {
        "a las 19.45 hs": "a las diecinueve y cuarenta y cinco horas",
        "de 10:30-13:00": "de diez y treinta a trece",
        "abre 9-13 hs y 17-20hs": "abre nueve a trece horas y diecisiete a veinte horas",
        "2h15": "dos horas quince",
        "a las 21h15": "a las veintiuna quince",
        "8 pm, 6:10 a. m. y 12 PM": "ocho de la noche, seis y diez de la mañana y doce del mediodía",
        "gol a los 70' y a los 90+4'": "gol a los setenta minutos y a los noventa más cuatro minutos",
        "2'10\"": "dos minutos diez",
        "a las 0:15": "a las cero quince",
        "3h 20m o 2 hs y 5 min": "tres horas veinte minutos o dos horas y cinco minutos",
        "tipo 8 y 1/2, 20.15 arranca": "tipo ocho y media, veinte y quince arranca",
        "salió 20.15, corrió 15.30 metros": "salió veinte coma quince, corrió quince coma treinta metros",
        "la hizo en 42:10": "la hizo en cuarenta y dos diez",
    },
    "date": {
        "09-07-1816": "nueve de julio de mil ochocientos dieciséis",
        "1816-07-09": "nueve de julio de mil ochocientos dieciséis",
        "17.08.23": "diecisiete de agosto de dos mil veintitrés",
        "nació el 2/4/82": "nació el dos de abril de mil novecientos ochenta y dos",
        "el 8-12": "el ocho de diciembre",
        "12-oct-2020": "doce de octubre de dos mil veinte",
        "vence 03/2027": "vence marzo de dos mil veintisiete",
        "31/2": "treinta y uno barra dos",
        "el lun 4/5, sáb. 9 y mié 20hs": "el lunes cuatro de mayo, sábado nueve y miércoles veinte horas",
        "el mar 5/5; en el mar. 3 olas": "el martes cinco de mayo; en el mar. tres olas",
        "en nov. y hasta feb.": "en noviembre y hasta febrero.",
        "decreto 12/2019": "decreto doce barra dos mil diecinueve",
    },
    "phone": {
        "al 11 2345-6789": "al once, dos tres cuatro cinco, seis siete ocho nueve",
        "(0351) 422-3344": "cero tres cinco uno, cuatro dos dos, tres tres cuatro cuatro",
        "+54 9 351 422-3344": "más cincuenta y cuatro, nueve, tres cinco uno, cuatro dos dos, tres tres cuatro cuatro",
        "cel 11 2345-6789 int. 4": "celular once, dos tres cuatro cinco, seis siete ocho nueve interno cuatro",
        "0810 555 1234": "cero ochocientos diez, cinco cinco cinco, uno dos tres cuatro",
        "llamame al 1123456789": "llamame al once, dos tres cuatro cinco, seis siete ocho nueve",
        "CUIT 27-08123456-1": "CUIT veintisiete, ocho millones ciento veintitrés mil cuatrocientos cincuenta y seis, uno",
        "2018-2022": "dos mil dieciocho a dos mil veintidós",
    },
    "measure": {
        "a 1 km/h": "a un kilómetro por hora",
        "7 m³ y 5 km²": "siete metros cúbicos y cinco kilómetros cuadrados",
        "un foco de 9W, 12 V": "un foco de nueve vatios, doce voltios",
        "200 kWh, 40 ha, 5 tn": "doscientos kilovatios hora, cuarenta hectáreas, cinco toneladas",
        "50 Mbps": "cincuenta megabits por segundo",
        "4G y 4K": "cuatro ge y cuatro ka",
        "128G, 10000G y 100G": "ciento veintiocho gigas, diez mil gramos y cien gramos",
        "vas o has ido, 3 has": "vas o has ido, tres hectáreas",
        "8M de votos": "ocho millones de votos",
        'un monitor de 27"': "un monitor de veintisiete pulgadas",
        'dijo "son 27" y ya': "dijo son veintisiete y ya",
        "km 12": "kilómetro doce",
        "pesó 2,750 kg, 0,400 kg, 2,5 kg": "pesó dos kilos setecientos cincuenta, cuatrocientos gramos, dos coma cinco kilos",
        "un camión de 3,500 kilos": "un camión de tres mil quinientos kilos",
        "$700 x kg, 3 cditas, un 0km": "setecientos pesos por kilo, tres cucharaditas, un cero kilómetro",
        "corrí 21k, motor 1.4": "corrí veintiuno ka, motor uno punto cuatro",
        "98 mg/dl, SARS-2": "noventa y ocho miligramos por decilitro, SARS dos",
        "20 u 30, 6 u": "veinte u treinta, seis unidades",
        "5-10 km, 15-20%": "cinco a diez kilómetros, quince a veinte por ciento",
    },
    "arithmetic": {
        "20x30 cm": "veinte por treinta centímetros",
        "2^8 y 5²": "dos a la ocho y cinco al cuadrado",
        "√9 = 3": "raíz de nueve igual a tres",
        "9 - 4 = 5": "nueve menos cuatro igual a cinco",
        "perdió 0-2, formación 4-3-3": "perdió cero a dos, formación cuatro tres tres",
        "ganamos 3-1 jaja, le ganó 2-1 Boca, 2 a 1 contra Vélez": "ganamos tres a uno jaja, le ganó dos a uno Boca, dos a uno contra Vélez",
        "6-3 6-4, clave 11-22-33": "seis tres, seis cuatro, clave once, veintidós, treinta y tres",
        "expte. 812/2020": "expediente ochocientos doce barra dos mil veinte",
    },
    "abbreviation": {
        "$50 c/u, s/ sal, p/llevar, c/ 8 hs": "cincuenta pesos cada uno, sin sal, para llevar, cada ocho horas",
        "chicos/as, ella/él, señor/a": "chicos o chicas, ella o él, señor o señora",
        "Bv. Oroño y Pte. Roca": "Bulevar Oroño y Presidente Roca",
        "art. 3 inc. b": "artículo tres inciso b",
        "el Dr Favaloro, Nro. 5, nº 6": "el Doctor Favaloro, número cinco, número seis",
        "Fui al sol. Después al mar.": "Fui al sol. Después al mar.",
        "e/ 7 y 8, p/ 4 pers., c/ 3 cuotas": "entre siete y ocho, para cuatro personas, con tres cuotas",
        "máx 31°, min. 20°": "máxima treinta y un grados, mínima veinte grados",
        "alquiler + exp., exp. 33/2021, sin int.": "alquiler más expensas, expediente treinta y tres barra dos mil veintiuno, sin interés.",
        "2° A, PB, 4 pilas AAA, M.N. 1001": "segundo A, planta baja, cuatro pilas triple a, matrícula nacional mil uno",
        "de lun a vie 9-13 hs, sáb y dom no": "de lunes a viernes nueve a trece horas, sábado y domingo no",
        "pimienta c/n": "pimienta cantidad necesaria",
        "lun a vie, aprox. 3": "lunes a viernes, aproximadamente tres",
    },
    "chat": {
        "q onda? no sé q hacer, creo q sí": "qué onda? no sé qué hacer, creo que sí",
        "xq te fuiste? me fui xq sí": "por qué te fuiste? me fui porque sí",
        "ns bno, nos vms, en efvo o transf": "no sé bueno, nos vemos, en efectivo o transferencia",
        "kiero ver a la flia": "quiero ver a la familia",
        "no m digas, bldo, la letra m minúscula": "no me digas, boludo, la letra m minúscula",
        "tmb dsp, x fa": "también después, por fa",
        "los rayos x y 2 TB": "los rayos x y dos teras",
    },
    "roman": {
        "Benedicto XVI y Pío IX": "Benedicto dieciséis y Pío noveno",
        "Isabel II, Rocky III": "Isabel segunda, Rocky tres",
        "cable tipo C, clase L": "cable tipo C, clase L",
        "cap. VI, siglo XIX": "capítulo seis, siglo diecinueve",
        "la I Guerra y el IV Congreso": "la primera Guerra y el cuarto Congreso",
        "talle XL, me dio mi CD": "talle equis ele, me dio mi ce de",
    },
    "acronym": {
        "el DNI, el PBI, YPF y la UCR": "el de ene i, el pe be i, i griega pe efe y la u ce erre",
        "IVA, AFIP, ARCA, ANSES, ONU": "IVA, AFIP, ARCA, ANSES, ONU",
        "la S.R.L. y la U.B.A. van": "la ese erre ele y la UBA van",
        "QUE LINDO DÍA, MMM, SHH": "QUE LINDO DÍA, MMM, SHH",
        "un MP4 del G7": "un MP cuatro del G siete",
        "patente BCD 456, el AE 321 XY": "patente be ce de cuatrocientos cincuenta y seis, el a e trescientos veintiuno equis i griega",
        "vuelo AR1402, AM 750, talle M o XL": "vuelo a erre mil cuatrocientos dos, AM setecientos cincuenta, talle eme o equis ele",
    },
    "electronic": {
        "ana_b@mail.com.ar": "ana guion bajo be arroba mail punto com punto ar",
        "entrá a www.gob.ar/dni": "entrá a tres doble ve punto gob punto ar barra dni",
        "https://ejemplo.com/?a=1": "ejemplo punto com barra signo de pregunta a igual a uno",
        "foto.png, seguime @ana, #NiUnaMenos": "foto punto pe ene ge, seguime arroba ana, hashtag Ni Una Menos",
        "IP 10.0.0.7, v1.4.2": "IP diez punto cero punto cero punto siete, versión uno punto cuatro punto dos",
        "mi usuario es sol_luna_8 y _nada_ más": "mi usuario es sol guion bajo luna guion bajo ocho y nada más",
        "mi alias es rio.mar.sol": "mi alias es rio punto mar punto sol",
        "alias de mamá: sol.luna.mp": "alias de mamá: sol punto luna punto eme pe",
        "Llegué.Después te cuento": "Llegué. Después te cuento",
    },
    "asides": {
        "hola :) jaja xD <3 ;-)": "hola jaja",
        "(risas) dale [música] *suspira* (como siempre)": "dale (como siempre)",
        "🎉 ¡Feliz año! 🎉": "¡Feliz año!",
    },
    "characters": {
        "𝗛𝗼𝗹𝗮 ａｂｃ № ５": "Hola abc número cinco",
        "CO₂ ②": "CO dos dos",
        "$5 mıllones, 12-DİC-2020": "cinco millones de pesos, doce de diciembre de dos mil veinte",
    },
}
CASES = [(kind, written) for kind, cases in SAID.items() for written in cases]
PIECES = (
    "1 2,5 10.000 0 $ U$S % ° º / - : . , kg km/h hs pm ½ ² ^ x X IV Juan Dr Dr. art. Nº q xq tmb DNI MP la el piso a é ñ ' \" ( ) ! ¿ "
    "😀 ... etc. www. a@b.com # @ = < + 3era 25/5 2024 mil S.A. U. c/ s/n él/ella … — tel 15 4567 M K G √ * _ PB d m2 min. av ⊕ дом ٣ "
    "ı İ ſ K mıll dİc 5-abrİl"
).split(" ")
NOTES = st.lists(st.sampled_from([*PIECES, " "]), max_size=10).map("".join) | st.lists(st.sampled_from(PIECES), max_size=8).map(" ".join)


@pytest.mark.parametrize(("kind", "written"), CASES)
def test_kind(kind: str, written: str) -> None:
    assert normalize.normalize(written) == SAID[kind][written]
    assert normalize.normalize(SAID[kind][written]) == SAID[kind][written]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(NOTES | st.text(max_size=40))
def test_any_text_becomes_letters_and_plain_punctuation_that_a_second_reading_keeps(written: str) -> None:
    said = normalize.normalize(written)
    assert not [char for char in said if not (char.isalpha() or char in " .,;:!?¿¡'()-")]
    assert normalize.normalize(said) == said


@pytest.mark.parametrize(
    "piece", ["1", "a", " ", "1.", "1-", "1/", "a.", "A.", "a@", "$1", "(", "'", '1"', "x ", "https://", "#a", "½", "15 4567-", "II "]
)
def test_reading_is_linear(piece: str) -> None:
    """Ten times the text takes about ten times as long; a quadratic pattern would take a hundred times."""

    def seconds(length: int) -> float:
        start = time.process_time()
        normalize.normalize(piece * (length // len(piece)))
        return time.process_time() - start

    seconds(1000)
    assert seconds(10_000) < 40 * max(seconds(1_000), 0.005)


def test_nothing_is_left_out_in_silence() -> None:
    reading = aloud.read("Comprá ⊕ kilo 😀 (risas) :) de pan ☎ ⊕")
    assert reading.text == "Comprá kilo de pan"
    assert reading.unread == "⊕"
    assert reading.dropped == ("😀", "☎", "(risas)", ":)")
    assert reading.left_out == "⊕ 😀 ☎ (risas) :)"
    assert aloud.read("llegué 5xd").left_out == "xd"  # one only after the number is words
    assert aloud.read("Che, ¿½ kilo? «Sí» *dale*").left_out == ""
