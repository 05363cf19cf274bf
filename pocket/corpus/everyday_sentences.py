"""More sentences for pocket/corpus/build.py: the verbs and turns of everyday talk, in every person and tense, with voseo.

pocket/corpus/sentences.py covers spelling; this covers what people say, so that the models know *hasta*, *cuando*, *dejala*.
"""

import random
from collections.abc import Iterator

from pocket.corpus import everyday_words as ew
from pocket.corpus import rioplatense_words as rp
from pocket.corpus.sentences import MAX_CHARACTERS, WORDS, finish, fold

PERSONS = ("yo", "vos", "él", "nosotros", "ellos")
ENDINGS = {  # conjugation: tense: one ending per person
    "ar": {"present": "o ás a amos an", "past": "é aste ó amos aron", "imperfect": "aba abas aba ábamos aban", "wish": "e es e emos en", "would": "aría arías aría aríamos arían"},
    "er": {"present": "o és e emos en", "past": "í iste ió imos ieron", "imperfect": "ía ías ía íamos ían", "wish": "a as a amos an", "would": "ería erías ería eríamos erían"},
    "ir": {"present": "o ís e imos en", "past": "í iste ió imos ieron", "imperfect": "ía ías ía íamos ían", "wish": "a as a amos an", "would": "iría irías iría iríamos irían"},
}  # fmt: skip
ORDER = {"ar": "á", "er": "é", "ir": "í"}
GERUND = {"ar": "ando", "er": "iendo", "ir": "iendo"}
CLITICS = ("me", "te", "lo", "la", "le", "nos", "los", "las", "les")


def generate(seed: int, *, length: str, forbidden: set[str]) -> Iterator[str]:
    """Endless distinct sentences of one length class; each one given is added to `forbidden` (folded)."""
    rng = random.Random(f"everyday-{seed}-{length}")
    low, high = WORDS[length]
    while True:
        text = finish(" ".join(_clause(rng) for _ in range({"short": 1, "medium": rng.choice((1, 2)), "long": 3}[length])))
        if low <= len(text.split()) <= high and len(text) <= MAX_CHARACTERS and fold(text) not in forbidden:
            forbidden.add(fold(text))
            yield text


def conjugate(infinitive: str, person: str, tense: str) -> str:
    """A regular form; *c, g, z* keep their sound before *e* (busqué, llegué, empecé). Vowel stems take *y* (leyó)."""
    stem, kind = infinitive[:-2], infinitive[-2:]
    ending = ENDINGS[kind][tense].split()[PERSONS.index(person)]
    if kind == "ar" and ending[0] in "eé":
        stem = _soft(stem)
    if stem.endswith("e") and ending in ("ió", "ieron"):
        ending = "y" + ending[1:]
    return stem + ending


def _soft(stem: str) -> str:
    for hard, soft in (("gu", "gü"), ("c", "qu"), ("g", "gu"), ("z", "c")):
        if stem.endswith(hard):
            return stem[: -len(hard)] + soft
    return stem


def _verb(rng: random.Random, person: str) -> str:
    if rng.random() < 0.45:
        return rng.choice(_forms(person))
    return conjugate(rng.choice(ew.REGULAR), person, rng.choice(("present", "past", "past", "imperfect", "would")))


def _forms(person: str) -> list[str]:
    """Irregular forms; a pronoun (*me, te, se, nos*) belongs to the word after it."""
    words, forms = ew.IRREGULAR[person].split(), []
    while words:
        word = words.pop(0)
        forms.append(f"{word} {words.pop(0)}" if word in ("me", "te", "se", "nos") else word)
    return forms


def _object(rng: random.Random) -> str:
    return rng.choice(
        (
            "",
            "",
            "no ",
            "ya ",
            "me ",
            "te ",
            "lo ",
            "la ",
            "le ",
            "se ",
            "nos ",
            "les ",
            "no te ",
            "ya lo ",
            "me lo ",
            "te la ",
            "no me ",
            "también ",
        )
    )


def _infinitive(rng: random.Random) -> str:
    verb = rng.choice(ew.IRREGULAR_INFINITIVES if rng.random() < 0.4 else ew.REGULAR)
    return verb + rng.choice(("", "", "", *CLITICS))


def _statement(rng: random.Random) -> str:
    person = rng.choice(PERSONS)
    subject = rng.choice(ew.SUBJECTS[person])
    text = f"{subject} {_object(rng)}{_verb(rng, person)} {rng.choice(ew.COMPLEMENTS)}".strip().replace("¿ ", "¿")
    return _closed(rng, text)


def _closed(rng: random.Random, text: str) -> str:
    if "¿" in text:
        return text + "?"
    return (
        text + (f", {tail}." if (tail := rng.choice(ew.TAILS)) and "¿" not in tail else f", {tail}") if rng.random() < 0.2 else text + "."
    )


def _order(rng: random.Random) -> str:
    verb = rng.choice(ew.REGULAR)
    bare = rng.random() < 0.4
    clitic = "" if bare else rng.choice(CLITICS)
    form = verb[:-2] + (ORDER[verb[-2:]] if bare else verb[-2]) + clitic
    return _closed(rng, f"{rng.choice(('', '', 'Che, ', 'Dale, ', 'No, ', 'Bueno, '))}{form} {rng.choice(ew.COMPLEMENTS)}")


def _going(rng: random.Random) -> str:
    helper = rng.choice(
        (
            "voy a",
            "vas a",
            "va a",
            "vamos a",
            "van a",
            "quiero",
            "tengo que",
            "hay que",
            "puedo",
            "podés",
            "querés",
            "iba a",
            "terminé de",
            "empezó a",
            "dejá de",
            "me gusta",
            "acabo de",
            "tenés que",
        )
    )
    start = rng.choice((*ew.STARTS, "", "", ""))
    return _closed(rng, f"{start} {helper} {_infinitive(rng)} {rng.choice(ew.COMPLEMENTS)}".strip())


def _question(rng: random.Random) -> str:
    person = rng.choice(PERSONS)
    end = f" {rng.choice(ew.COMPLEMENTS)}" if rng.random() < 0.5 else ""
    return f"{rng.choice(ew.QUESTIONS)} {_object(rng)}{_verb(rng, person)}{end}?"


def _told(rng: random.Random) -> str:
    person = rng.choice(PERSONS)
    wish = conjugate(rng.choice(ew.REGULAR), person, "wish")
    return rng.choice((
        f"{rng.choice(ew.STARTS)} {_object(rng)}{_verb(rng, person)} {rng.choice(ew.COMPLEMENTS)}.",
        f"Quiero que {_object(rng)}{wish} {rng.choice(ew.COMPLEMENTS)}.",
        f"Cuando {wish} {rng.choice(ew.COMPLEMENTS)}, {rng.choice(rp.OPENINGS)}.",
        f"No {wish} {rng.choice(ew.COMPLEMENTS)}.",
        f"Si {_object(rng)}{_verb(rng, person)}, {_object(rng)}{_verb(rng, rng.choice(PERSONS))} {rng.choice(ew.COMPLEMENTS)}.",
    ))  # fmt: skip


def _state(rng: random.Random) -> str:
    verb = rng.choice(
        ("Estoy", "Estás", "Está", "Estaba", "Es", "Era", "Fue", "Quedó", "Salió", "Soy", "Sos", "Parece", "No es", "Ya está", "Sigue")
    )
    if rng.random() < 0.4:
        doing = _gerund(rng)
        return _closed(
            rng,
            f"{rng.choice(('Estoy', 'Estás', 'Está', 'Estaba', 'Están', 'Sigue', 'Me quedé', 'Anda'))} {doing} {rng.choice(ew.COMPLEMENTS)}",
        )
    return _closed(rng, f"{verb} {rng.choice(('', 'muy ', 're ', 'medio ', 'más ', 'un poco ', 'tan '))}{rng.choice(ew.ADJECTIVES)}")


def _gerund(rng: random.Random) -> str:
    if rng.random() < 0.35:
        return rng.choice(ew.IRREGULAR_GERUNDS)
    verb = rng.choice([verb for verb in ew.REGULAR if not verb.endswith(("eer", "uir"))])
    return verb[:-2] + GERUND[verb[-2:]]


def _aside(rng: random.Random) -> str:
    return f"{rng.choice(ew.STARTS[:9])}, {rng.choice(rp.NAMES)}, {rng.choice(ew.TAILS)}.".replace("?.", "?")


def _clause(rng: random.Random) -> str:
    return rng.choice((_statement, _statement, _statement, _order, _going, _question, _told, _told, _state, _aside))(rng)
