"""Scores of a clip's words: one number per doubt, from the text and whisper's figures alone.

A score never decides: curate compares it with its threshold, and a person's correction overrules it.
"""

import re
import unicodedata

import numpy as np

# What whisper writes when nobody speaks: the ends of the subtitled videos it learnt from.
PHRASES = """
gracias por ver el video
muchas gracias por ver el video
gracias por ver
gracias por mirar
gracias por su atención
muchas gracias
gracias
subtítulos por la comunidad de amara org
subtítulos realizados por la comunidad de amara org
subtítulos creados por la comunidad de amara org
subtitulado por la comunidad de amara org
subtítulos
suscríbete al canal
suscribite al canal
suscríbete
no olvides suscribirte
dale like y suscríbete
hasta la próxima
nos vemos en el próximo video
nos vemos en la próxima
hasta el próximo video
más información en www alimmenta com
www mooji org
música
aplausos
adiós
""".strip().splitlines()
NORMAL_CHARS_PER_S = 15.0  # conversational Spanish: about 7.5 syllables of 2 letters a second of speech
_RUN_WORDS = 4  # as many words of the prompt in a row are a leak; fewer happen by chance ("la calle")


def fold(text: str) -> str:
    """Words in lower case without accents or punctuation, so that spelling does not hide a match."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def chars_per_s(text: str, speech_s: float) -> float:
    """Characters a second of speech. Far below 15: words are missing; far above: words that nobody said."""
    return len(text) / max(speech_s, 0.1)


def hallucination(text: str, *, speech_s: float, avg_logprob: float, no_speech_prob: float) -> float:
    """List x duration x confidence, each in [0, 1], as a geometric mean: one factor near 0 acquits.

    The list alone proves nothing: people do say "gracias". The words must be the list's, take another time than saying
    them takes, and whisper must have doubted.
    """
    words = fold(text)
    if not words:
        return 0.0
    covered = words
    for phrase in sorted((fold(p) for p in PHRASES), key=len, reverse=True):
        covered = re.sub(rf"\b{phrase}\b", lambda m: "#" * len(m[0]), covered)
    listed = covered.count("#") / len(words)
    misfit = min(1.0, abs(float(np.log2(max(speech_s, 0.1) * NORMAL_CHARS_PER_S / len(words)))))
    doubt = max(no_speech_prob, 1.0 - float(np.exp(min(avg_logprob, 0.0))))
    return float(np.cbrt(listed * misfit * doubt))


def prompt_leak(text: str, prompt: str) -> float:
    """Share of the words that stand in runs of four or more of the prompt's own words."""
    said, given = fold(text).split(), fold(prompt).split()
    runs = {tuple(given[i : i + _RUN_WORDS]) for i in range(len(given) - _RUN_WORDS + 1)}
    leaked = np.zeros(len(said), bool)
    for i in range(len(said) - _RUN_WORDS + 1):
        if tuple(said[i : i + _RUN_WORDS]) in runs:
            leaked[i : i + _RUN_WORDS] = True
    return float(leaked.mean()) if len(said) else 0.0


def same_words(a: str, b: str) -> float:
    """Share of the words that two texts have in common (Jaccard). Two empty texts are the same."""
    left, right = set(fold(a).split()), set(fold(b).split())
    return len(left & right) / len(left | right) if left | right else 1.0
