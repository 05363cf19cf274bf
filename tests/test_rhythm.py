"""voz/metrics/accent/rhythm.py: measures of vocalic intervals, by hand and in speech."""

import pytest

from tests.spoken_accents import spoken
from voz.metrics import espeak
from voz.metrics.accent import alignment, rhythm
from voz.metrics.accent.alignment import Sound

TEXT = "La casa de la abuela no queda lejos de la cancha."
EVEN = "[[la k'asa De la aBw'ela no k'eDa l'exos De la k'antSa]]."
UNEVEN = "[[la k'a::sa De la aBw'e::la no k'e::Da l'e::xos De la k'antSa:]]."


def line(*phrases: list[tuple[str, float]]) -> list[Sound]:
    """Sounds with their lengths in s, a pause of 1 s after each phrase."""
    sounds, now_s = [], 0.0
    for phrase in phrases:
        for name, length_s in [*phrase, ("_:", 1.0)]:
            sounds.append(Sound(name, now_s, now_s + length_s, 0))
            now_s += length_s
    return sounds


def test_measures_of_known_lengths() -> None:
    first = [("t", 0.1), ("a", 0.1), ("k", 0.1), ("j", 0.1), ("e", 0.1), ("_", 0.0), ("t", 0.1), ("o", 0.3)]
    second = [("p", 0.2), ("a", 0.1), ("t", 0.1), ("a", 0.1), ("s", 0.1), ("e", 0.2)]
    found = rhythm.measure(line(first, second))
    assert found is not None  # intervals: 0.1, 0.2, 0.3 | 0.1, 0.1, 0.2
    assert found.vowel_share == pytest.approx(1.0 / 1.7)
    assert found.varco == pytest.approx(0.07454 / 0.16667, rel=1e-3)
    assert found.last_vowel == pytest.approx(0.25 / 0.125)


def test_a_few_vowels_have_no_rhythm() -> None:
    assert rhythm.measure(line([("a", 0.1), ("t", 0.1), ("a", 0.1)])) is None
    assert rhythm.measure([]) is None
    assert rhythm.measure(line([("p", 0.0), ("a", 0.0)] * 8)) is None  # a line that ends at once: all sounds at one place
    assert rhythm.measure(line(*[[("a", 0.1)]] * 8)) is None  # all are last


@pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
def test_longer_stressed_vowels_are_heard_in_another_voice() -> None:
    even, uneven = (rhythm.measure(alignment.align(TEXT, spoken(each)).sounds) for each in (EVEN, UNEVEN))
    assert even is not None and uneven is not None
    assert uneven.varco > 1.1 * even.varco and uneven.vowel_share > even.vowel_share
