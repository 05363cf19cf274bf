"""Scores of a clip's text, computed from the words and from how sure Whisper was of them.

Nothing is rejected here: curate compares the scores with the limits of voz/metrics/filters.py.
"""

import re
from collections.abc import Sequence

import numpy as np

from voz.pipeline.records import Transcript
from voz.text import unspoken
from voz.text.clip_text import ClipText
from voz.text.letters import fold
from voz.text.tokens import LANGUAGE

# What Whisper writes where nobody speaks, and people say too. What nobody says is in voz/text/unspoken.py.
PHRASES = """
gracias por ver
gracias por mirar
gracias por su atención
muchas gracias
gracias
subtítulos
hasta la próxima
nos vemos en la próxima
más información en www alimmenta com
www mooji org
música
aplausos
adiós
thank you very much
thank you
bye bye
bye
""".strip().splitlines()
# What Whisper also calls Spanish in short clips: a real Mexican clip was Catalan at 0.98. English, French and Italian get 0.96 to 1.
LIKE_SPANISH = (LANGUAGE, "ca", "gl", "oc")
MIN_CLIPS_FOR_PACE = 10
NORMAL_CHARS_PER_S = 15.0  # conversational Spanish: about 7.5 syllables of 2 letters per second of speech
_RUN_WORDS = 4  # words in a row that count as copied from the prompt, or as repeated; fewer occur by chance ("la calle", "no, no, no")
_MANY = 3  # times that a run must occur to be a loop; people do say a thing twice


def of_clip(text: ClipText, transcript: Transcript, *, speech_s: float, prompt: str) -> dict[str, float]:
    """The scores of a clip's text, by the text itself and by how sure Whisper was of it. `prompt` is the one Whisper was given."""
    return {
        "hallucination": hallucination(
            text.written, speech_s=speech_s, avg_logprob=transcript.avg_logprob, no_speech_prob=transcript.no_speech_prob
        ),
        "repetition": repetition(text.written, transcript.compression_ratio),
        "other_language_prob": 0.0 if transcript.language in LIKE_SPANISH else transcript.language_prob,
        "prompt_leak": prompt_leak(text.written, prompt),
        "avg_logprob": transcript.avg_logprob,
        "chars_per_s": chars_per_s(text.spoken, speech_s),
    }


def chars_per_s(text: str, speech_s: float) -> float:
    """Characters per second of speech. Far below 15, words are missing; far above, the text holds words that nobody said."""
    return len(text) / max(speech_s, 0.1)


def missing_shares(paces: Sequence[float], cut: Sequence[bool]) -> list[float]:
    """How far each clip's characters per second are below the speaker's usual ones, in [0, 1]: 0.4 = two fifths are missing.

    Usual is the median over all clips with words. With fewer than ten of them it says little, and the share is 0; but a text that
    something was cut off (`cut`) is then compared with a normal pace, because Whisper may have invented the most of it.
    """
    spoken = [pace for pace in paces if pace > 0]
    usual = float(np.median(spoken)) if len(spoken) >= MIN_CLIPS_FOR_PACE else None
    expected = [usual or (NORMAL_CHARS_PER_S if shortened else 0.0) for shortened in cut]
    return [max(0.0, 1 - pace / wanted) if wanted else 0.0 for pace, wanted in zip(paces, expected, strict=True)]


def hallucination(text: str, *, speech_s: float, avg_logprob: float, no_speech_prob: float) -> float:
    """How likely Whisper invented the text, in [0, 1]. It is 1 if any part of it is something that nobody says in a voice note.

    Else the geometric mean of three factors in [0, 1]: the share of the text that is in PHRASES, the misfit between its length and the
    seconds of speech, and Whisper's uncertainty. Any factor near 0 makes the score 0: people do say "gracias", so a phrase of
    the list alone proves nothing.
    """
    words = fold(text)
    if unspoken.invented(text):
        return 1.0
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


def repetition(text: str, compression_ratio: float) -> float:
    """How many times over a text says the same: the larger of Whisper's `compression_ratio` and words / words outside loops.

    A word is in a loop if it belongs to a run of four words that occurs three times or more without overlap. A loop thus has 12
    words at least: "no, no, no" and "sí, sí, dale" are none. The compression ratio alone misses loops in short texts.
    """
    words = fold(text).split()
    starts: dict[tuple[str, ...], list[int]] = {}
    for i in range(len(words) - _RUN_WORDS + 1):
        starts.setdefault(tuple(words[i : i + _RUN_WORDS]), []).append(i)
    looped = np.zeros(len(words), bool)
    for found in starts.values():
        if _separate(found) >= _MANY:
            for i in found:
                looped[i : i + _RUN_WORDS] = True
    return max(compression_ratio, len(words) / max(1, int((~looped).sum())) if len(words) else 0.0)


def _separate(starts: list[int]) -> int:
    """How many runs of _RUN_WORDS words that begin at `starts` (rising) do not overlap."""
    count, end = 0, 0
    for start in starts:
        if start >= end:
            count, end = count + 1, start + _RUN_WORDS
    return count


def same_words(a: str, b: str) -> float:
    """Share of the words that two texts have in common (Jaccard index), in [0, 1]. Two empty texts have 1."""
    left, right = set(fold(a).split()), set(fold(b).split())
    return len(left & right) / len(left | right) if left | right else 1.0
