"""Scores of a text: loops, missing words, invented phrases."""

import pytest

from voz.metrics import filters, text_scores

LOOPS = """
ya te dije que no voy a ir, ya te dije que no voy a ir, ya te dije que no voy a ir
Bueno. Y después me fui para allá. Y después me fui para allá. Y después me fui para allá.
Después te cuento. y bueno, y bueno, y bueno, y bueno, y bueno, y bueno, y bueno, y bueno
no, no, no, no, no, no, no, no, no, no, no, no, no
""".strip().splitlines()
HONEST = """
No, no, no, pará.
Sí, sí, dale, sí.
No puede ser, no puede ser, no puede ser, te juro que no puede ser.
Hola, hola, hola, hola, ¿me escuchás? Hola, sí, ahora sí.
Dale, dale, dale, te espero, dale.
Presioná uno para escuchar el mensaje, presioná dos para borrar el mensaje, presioná tres para guardar.
""".strip().splitlines()


@pytest.mark.parametrize("text", LOOPS)
def test_a_loop_is_found_in_the_words_alone(text: str) -> None:
    assert text_scores.repetition(text, 1.0) > filters.MAX_REPETITION


@pytest.mark.parametrize("text", HONEST)
def test_people_repeat_themselves_too(text: str) -> None:
    assert text_scores.repetition(text, 1.3) == 1.3


def test_whispers_own_compression_ratio_counts() -> None:
    assert text_scores.repetition("Y uno, y otro, y otro más.", 2.6) == 2.6
    assert text_scores.repetition("", 0.0) == 0.0


def test_what_is_missing_is_measured_against_the_speakers_own_pace() -> None:
    slow = [9.0] * 9  # a slow speaker
    assert text_scores.missing_shares([*slow, 9.9, 4.5], [False] * 11) == pytest.approx([*[0.0] * 10, 0.5])
    assert text_scores.missing_shares([*slow, 0.0], [False] * 10) == [0.0] * 10, "nine clips with words are too few"
    assert text_scores.missing_shares([*slow[:8], 6.0], [*[False] * 8, True]) == pytest.approx([*[0.0] * 8, 0.6])


@pytest.mark.parametrize(
    ("text", "speech_s", "avg_logprob", "invented"),
    [
        ("Muchas gracias, hasta la próxima.", 2.4, -0.3, False),  # a normal pace
        ("Muchas gracias.", 8.0, -0.9, True),
        ("Muchas gracias, chau.", 8.0, -0.01, False),  # Whisper was sure
        ("Suscribite al canal.", 1.4, -0.01, True),  # whatever the pace and the confidence
        ("Bueno, gracias por ver el video.", 2.1, -0.01, True),
        ("Thank you. Bye bye.", 7.0, -0.8, True),
    ],
)
def test_a_phrase_counts_by_its_class(text: str, speech_s: float, avg_logprob: float, invented: bool) -> None:
    score = text_scores.hallucination(text, speech_s=speech_s, avg_logprob=avg_logprob, no_speech_prob=0.05)
    assert (score > 0.5) == invented
