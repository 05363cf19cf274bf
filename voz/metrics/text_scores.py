"""Scores of a clip's text, computed from the words and from how sure Whisper was of them.

Nothing is rejected here: curate compares the scores with the limits of voz/metrics/filters.py.
"""

import re
import unicodedata

import numpy as np

# What Whisper writes where nobody speaks: the last lines of the subtitled videos that it was trained on.
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
NORMAL_CHARS_PER_S = 15.0  # conversational Spanish: about 7.5 syllables of 2 letters per second of speech
_RUN_WORDS = 4  # words of the prompt in a row that count as a leak; fewer occur by chance ("la calle")


def fold(text: str) -> str:
    """The words in lower case without accents or punctuation, so that texts match whatever their spelling."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if not unicodedata.combining(c))
    return " ".join(re.findall(r"[a-z0-9]+", bare))


def chars_per_s(text: str, speech_s: float) -> float:
    """Characters per second of speech. Far below 15, words are missing; far above, the text holds words that nobody said."""
    return len(text) / max(speech_s, 0.1)


def hallucination(text: str, *, speech_s: float, avg_logprob: float, no_speech_prob: float) -> float:
    """How likely Whisper invented the text, in [0, 1].

    Geometric mean of three factors in [0, 1]: the share of the text that is in PHRASES, the misfit between its length and the
    seconds of speech, and Whisper's uncertainty. Any factor near 0 makes the score 0: people do say "gracias", so a phrase of
    the list alone proves nothing.
    """
    words = fold(text)
    if not words:
        return 0.0
    covered = words
    for phrase in sorted((fold(p) for p in PHRASES), key=len, reverse=True):
        covered = re.sub(rf"\b{phrase}\b", lambda m: "#" * len(m[0]), covered)
    listed = covered.count("#") / len(words)
    misfit = min(1.0, abs(float(np.log2(max(speech_s, 0.1) * NORMAL_CHARS_PER_S / len(words)))))
    uncertainty = max(no_speech_prob, 1.0 - float(np.exp(min(avg_logprob, 0.0))))
    return float(np.cbrt(listed * misfit * uncertainty))


def prompt_leak(text: str, prompt: str) -> float:
    """Share of the text's words that belong to runs of four or more consecutive words of the prompt, in [0, 1]."""
    words, prompt_words = fold(text).split(), fold(prompt).split()
    runs = {tuple(prompt_words[i : i + _RUN_WORDS]) for i in range(len(prompt_words) - _RUN_WORDS + 1)}
    leaked = np.zeros(len(words), bool)
    for i in range(len(words) - _RUN_WORDS + 1):
        if tuple(words[i : i + _RUN_WORDS]) in runs:
            leaked[i : i + _RUN_WORDS] = True
    return float(leaked.mean()) if len(words) else 0.0


def same_words(a: str, b: str) -> float:
    """Share of the words that two texts have in common (Jaccard index), in [0, 1]. Two empty texts have 1."""
    left, right = set(fold(a).split()), set(fold(b).split())
    return len(left & right) / len(left | right) if left | right else 1.0
