"""Distinct Spanish sentences as a person of Buenos Aires would write them: voseo, slang, questions, names, numbers in words.

Used by pocket/corpus/build.py. A seeded grammar over pocket/corpus/rioplatense_words.py and the Debian package `wspanish`
(/usr/share/dict/spanish, 86 000 words), so that it covers spelling far beyond the grammar's own words.
"""

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from num2words import num2words

from pocket.corpus import rioplatense_words as rp

WORDS = {"short": (1, 5), "medium": (6, 14), "long": (15, 28)}  # words per sentence: up to about 2 s, 3-6 s, up to about 10 s
MAX_CHARACTERS = 170  # about 10 s of slow speech
RARE_SHARE = 0.25  # of the sentences: those around words of the dictionary
_WINDOW = re.compile(r"ll|y(?=[aeiouáéíóú])", re.IGNORECASE)


def dictionary(path: Path) -> list[str]:
    """Plain lower-case Spanish words of 3-13 letters, sorted. Raises FileNotFoundError when `wspanish` is not installed."""
    words = path.read_text(encoding="utf-8").split()
    return sorted({word for word in words if re.fullmatch(r"[a-záéíóúüñ]{3,13}", word)})


def count_windows(text: str) -> int:
    """Spellings of ⟨ll, y⟩ before a vowel: the places where a speaker says [ʝ] or [ʃ]. *hielo*, *muy*, *rey* have none."""
    return len(_WINDOW.findall(text))


def generate(seed: int, words: list[str], *, length: str, forbidden: set[str]) -> Iterator[str]:
    """Endless distinct sentences of one length class; each one given is added to `forbidden` (folded by `fold`)."""
    rng = random.Random(f"{seed}-{length}")
    low, high = WORDS[length]
    while True:
        text = finish(_draw(rng, words, length))
        if low <= len(text.split()) <= high and len(text) <= MAX_CHARACTERS and fold(text) not in forbidden:
            forbidden.add(fold(text))
            yield text


def fold(text: str) -> str:
    """Lower case, letters only: two sentences that sound alike are one."""
    return " ".join(re.findall(r"[a-záéíóúüñ]+", text.lower()))


def finish(text: str) -> str:
    """Capital at the start of each sentence; articles contracted (*a el* is *al*, *de el* is *del*)."""
    text = re.sub(r"\b([Aa]) el\b", r"\1l", re.sub(r"\b([Dd]e) el\b", r"\1l", text))
    return re.sub(r"(?:^|(?<=[.?!] ))[¿¡]?[^\W\d_]", lambda match: match.group().upper(), text)


def _draw(rng: random.Random, words: list[str], length: str) -> str:
    if rng.random() < RARE_SHARE:
        return _rare(rng, words, length)
    if length == "short":
        return rng.choice(_SHORT)(rng)
    if length == "medium":
        return rng.choice(_MEDIUM)(rng)
    first, second = rng.choice(_MEDIUM)(rng), rng.choice(_MEDIUM)(rng)
    if first.endswith(".") and rng.random() < 0.6:
        return f"{first[:-1]}{_join(rng)} {_uncapital(second)}"
    return f"{first} {second}"


def _rare(rng: random.Random, words: list[str], length: str) -> str:
    frames = [rng.choice(rp.RARE_FRAMES) for _ in range({"short": 1, "medium": 1, "long": 3}[length])]
    text = " ".join(frames)
    while "{d}" in text or "{D}" in text:
        text = text.replace("{D}", rng.choice(words).capitalize(), 1) if "{D}" in text else text.replace("{d}", rng.choice(words), 1)
    return text


def _noun(rng: random.Random, *, definite: bool | None = None) -> str:
    """A noun with its article and, half the time, an adjective that agrees."""
    male = rng.random() < 0.5
    article = rng.choice(
        (("el", "la"), ("un", "una"), ("ese", "esa"), ("mi", "mi"), ("este", "esta")) if definite is None else (("el", "la"),)
    )
    noun = rng.choice(rp.MASCULINE if male else rp.FEMININE)
    adjective = rng.choice(rp.ADJECTIVES).split("/")[0 if male else 1] if rng.random() < 0.4 else ""
    return f"{article[0 if male else 1]} {noun} {adjective}".strip()


def _number(rng: random.Random) -> str:
    top = rng.choice((12, 31, 100, 1000, 100_000))
    return str(num2words(rng.randint(2, top), lang="es"))


def _place(rng: random.Random) -> str:
    return rng.choice(rp.PLACES)


_SHORT: list[Callable[[random.Random], str]] = [
    lambda r: r.choice(rp.SHORT),
    lambda r: f"{r.choice(rp.FILLERS)}, {_uncapital(r.choice(rp.SHORT))}",
    lambda r: f"{r.choice(rp.NAMES)}, {r.choice(rp.IMPERATIVES[:17])} {_noun(r)}.",
    lambda r: f"{r.choice(rp.IMPERATIVES)} {_noun(r)}.",
    lambda r: f"¿{r.choice(rp.VOS)} {_noun(r)}?",
    lambda r: f"¿Vos {r.choice(rp.VOS)} {_noun(r)}?",
    lambda r: f"Yo {r.choice(rp.PAST_I)} {_noun(r)}.",
    lambda r: f"{r.choice(rp.NAMES)} {r.choice(rp.PAST_3)} {_noun(r)}.",
    lambda r: f"Ella {r.choice(rp.PAST_3)} {_noun(r)}.",
    lambda r: f"{r.choice(rp.WHEN)} voy a {_place(r)}.",
    lambda r: f"Estoy en {_place(r)}.",
    lambda r: f"Son {_number(r)} pesos.",
    lambda r: f"Me debés {_number(r)}.",
    lambda r: f"¡Qué {r.choice(rp.ADJECTIVES).split('/')[0]}!",
    lambda r: f"{_noun(r)} y {_noun(r)}.",
    lambda r: f"{r.choice(rp.NAMES)} y {r.choice(rp.NAMES)}.",
    lambda r: f"¿Dónde está {_noun(r, definite=True)}?",
    lambda r: f"¿Llamaste a {r.choice(rp.NAMES)}?",
    lambda r: f"Ya llegó {_noun(r, definite=True)}.",
    lambda r: f"{_noun(r, definite=True)}, {r.choice(rp.WHEN)}.",
]
_MEDIUM: list[Callable[[random.Random], str]] = [
    lambda r: f"{r.choice(rp.FILLERS)}, {r.choice(rp.WHEN)} {r.choice(rp.PAST_I)} {_noun(r)} en {_place(r)}.",
    lambda r: f"{r.choice(rp.FILLERS)}, ¿vos {r.choice(rp.VOS)} {_noun(r)} {r.choice(rp.WHEN)}?",
    lambda r: f"{r.choice(rp.NAMES)} {r.choice(rp.PAST_3)} {_noun(r)} y {r.choice(rp.PAST_3)} {_noun(r)}.",
    lambda r: f"{r.choice(rp.OPENINGS)}{_join(r)} {r.choice(rp.OPENINGS)}.",
    lambda r: f"{r.choice(rp.OPENINGS)}{_join(r)} {r.choice(rp.PAST_I)} {_noun(r)}.",
    lambda r: f"{r.choice(rp.FILLERS)}, {r.choice(rp.OPENINGS)}, {r.choice(rp.IMPERATIVES)} {_noun(r)}.",
    lambda r: f"{r.choice(rp.WHEN)} vamos con {r.choice(rp.NAMES)} a {_place(r)} y llevamos {_noun(r)}.",
    lambda r: f"Ella me {r.choice(rp.PAST_3)} {_noun(r)} {r.choice(rp.WHEN)} y yo {r.choice(rp.PAST_I)} {_noun(r)}.",
    lambda r: f"¿Cuánto salió {_noun(r, definite=True)}? Yo pagué {_number(r)} pesos.",
    lambda r: f"{r.choice(rp.FILLERS)}, {r.choice(rp.NAMES)}, somos {_number(r)} y falta {_noun(r)}.",
    lambda r: f"Si {r.choice(rp.VOS)} {_noun(r)}, yo te espero en {_place(r)}.",
    lambda r: f"{r.choice(rp.NAMES)} me dijo que {r.choice(rp.OPENINGS)}.",
    lambda r: f"No sé si {r.choice(rp.OPENINGS)} o si {r.choice(rp.OPENINGS)}.",
    lambda r: f"{r.choice(rp.SHORT)} {r.choice(rp.FILLERS)}, {r.choice(rp.OPENINGS)}.",
    lambda r: f"¿Sabés si {r.choice(rp.NAMES)} {r.choice(rp.PAST_3)} {_noun(r)}?",
    lambda r: f"Vos {r.choice(rp.VOS)} {_noun(r)}, ella {r.choice(rp.PAST_3)} {_noun(r)} y yo nada.",
    lambda r: f"Hace {_number(r)} días que busco {_noun(r)} por {_place(r)}.",
]


def _join(rng: random.Random) -> str:
    join = rng.choice(rp.JOINS)
    return join if join.startswith(",") else f" {join}"


def _uncapital(text: str) -> str:
    """Lower the first letter, unless it begins a name."""
    match = re.search(r"\w+", text)
    if match is None or match.group() in rp.NAMES or (match.group() in {"La", "Callao"} and "La Boca" in text):
        return text
    return text[: match.start()] + match.group()[0].lower() + text[match.start() + 1 :]
