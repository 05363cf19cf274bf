"""Spanish text is written out as it is read aloud, and fits the base's tokenizer."""

from pathlib import Path

import pytest

from voz.model import xtts
from voz.text import normalize, numerals, tokens

BASE = Path(__file__).parent.parent / "models" / "pocket" / "xtts"
SAID = {
    "Nos vemos a las 14:30.": "Nos vemos a las catorce y treinta.",
    "Tipo 15hs en casa": "Tipo quince horas en casa",
    "a las 21:00 hs.": "a las veintiuna horas.",
    "a la 1:00": "a la una",
    "Salió $1.500,50 y después $ 2.000": "Salió mil quinientos pesos con cincuenta centavos y después dos mil pesos",
    "$1 o $21": "un peso o veintiún pesos",
    "Me sale $2 millones, 5 lucas, $5 mil": "Me sale dos millones de pesos, cinco lucas, cinco mil pesos",
    "US$ 50 o u$s100, 20€": "cincuenta dólares o cien dólares, veinte euros",
    "El 12,5% de 200 personas": "El doce coma cinco por ciento de doscientas personas",
    "21 pesos y 21 personas, son 21": "veintiún pesos y veintiuna personas, son veintiuno",
    "el 1º piso, 3er lugar, 2da vuelta, el 1º": "el primer piso, tercer lugar, segunda vuelta, el primero",
    "Son 5 km, 1 kg y 1,5 kg a 80 km/h": "Son cinco kilómetros, un kilo y uno coma cinco kilos a ochenta kilómetros por hora",
    "hace -5°C": "hace menos cinco grados",
    "El Dr. Pérez y la Sra. Gómez, etc.": "El Doctor Pérez y la Señora Gómez, etcétera.",
    "Compramos pan, etc. Después volvimos": "Compramos pan, etcétera. Después volvimos",
    "vive en Av. Corrientes 1234": "vive en Avenida Corrientes mil doscientos treinta y cuatro",
    "el 25/5, el 1 de mayo y 3/4 kilo": "el veinticinco de mayo, el primero de mayo y tres cuartos de kilo",
    "2x1 en el 10-15": "dos por uno en el diez a quince",
    "llamá al 0115555": "llamá al cero uno uno cinco cinco cinco cinco",
    "1.234.567 y 1,500": "un millón doscientos treinta y cuatro mil quinientos sesenta y siete y mil quinientos",
    "0,05 y 1.5": "cero coma cero cinco y uno coma cinco",
    "Tengo 31000 pesos": "Tengo treinta y un mil pesos",
    "EE. UU. y Bs. As. siglo XXI": "Estados Unidos y Buenos Aires siglo veintiuno",
    "¡¡Hola!! ¿¿Qué hacés?? 😂 *che*": "¡Hola! ¿Qué hacés? che",
    "y/o | vale\nuno": "y o, vale uno",
    "—Dale —dijo—. Chau": "Dale, dijo. Chau",
    "Bueno muchachos, gracias por la bancada.": "Bueno muchachos, gracias por la bancada.",
    "sub-30 y ex-novio": "sub-treinta y ex-novio",
    "…": "",
}


@pytest.mark.parametrize("written", SAID)
def test_normalize(written: str) -> None:
    assert normalize.normalize(written) == SAID[written]


@pytest.mark.parametrize("written", SAID)
def test_normalized_text_is_changed_neither_by_a_second_pass_nor_by_coquis_own_cleaner(written: str) -> None:
    said = normalize.normalize(written)
    assert normalize.normalize(said) == said
    tokenizer = xtts.read_tokenizer(BASE)
    fitted = tokens.fit(said, tokenizer)
    assert tokenizer.preprocess_text(fitted, "es") == fitted.lower()
    assert not tokens.unknown_characters(fitted, tokenizer)


def test_fit_drops_unknown_signs_and_accents_and_unknown_characters_names_the_rest() -> None:
    tokenizer = xtts.read_tokenizer(BASE)
    assert tokens.fit("Ça va, ñandú; Müller§", tokenizer) == "Ca va, ñandú; Müller"
    assert tokens.unknown_characters(tokens.fit("weiß дом", tokenizer), tokenizer) == "ßдом"


def test_spoken_ignores_what_cannot_be_heard() -> None:
    assert normalize.spoken("¡Che, son 2 PESOS!") == normalize.spoken("che son dos pesos") == "che son dos pesos"
    assert normalize.spoken("llegás") != normalize.spoken("llegas")  # voseo is audible


def test_split_sentences_cuts_at_ends_then_commas_then_words_and_loses_nothing() -> None:
    whole = "Hola, ¿qué tal? Todo bien por acá. " + "Mirá que sí, " * 9 + "y listo. " + "a" * 70
    parts = tokens.split_sentences(whole, 60)
    assert max(map(len, parts)) <= 60
    assert "".join(parts).replace(" ", "") == whole.replace(" ", "")
    assert parts[0] == "Hola, ¿qué tal? Todo bien por acá." and parts[1].endswith(",")
    assert tokens.split_sentences("Corto. Y queda entero.", 239) == ["Corto. Y queda entero."]
    with pytest.raises(ValueError, match="limit 0"):
        tokens.split_sentences("x", 0)


@pytest.mark.parametrize(
    ("digits", "noun", "words"),
    [("101", "cosas", "ciento una"), ("500", "noches", "quinientas"), ("1", "día", "un"), ("21000", "", "veintiún mil")],
)
def test_cardinals_agree(digits: str, noun: str, words: str) -> None:
    assert numerals.cardinal(digits, noun=noun) == words
