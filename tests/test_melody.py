"""voz/metrics/accent/melody.py: ends and peaks of a known pitch, by hand and in speech."""

import re

import numpy as np
import pytest

from benchmarks import melody_speech
from tests.spoken_accents import spoken
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak, pitch
from voz.metrics.accent import alignment, melody
from voz.metrics.accent.alignment import Aligned, Sound
from voz.metrics.accent.melody import Curve

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
CASALA = [("k", False), ("a", True), ("s", False), ("a", False), ("l", False), ("a", True), ("_:", False)]  # of 0.1 s each, one word


def aligned(text: str) -> Aligned:
    """A text of the word alone, with a pause after each."""
    words = list(re.finditer(r"\w+", text))
    names = [(name, stressed, word) for word in range(len(words)) for name, stressed in CASALA]
    sounds = [Sound(name, at / 10, (at + 1) / 10, word, stressed) for at, (name, stressed, word) in enumerate(names)]
    return Aligned(sounds, [word.group() for word in words], [word.end() for word in words])


def measure(text: str, heard: Curve) -> melody.Melody:
    return melody.measure(text, aligned(text), heard)


def curve(*corners: tuple[float, float]) -> Curve:
    """Straight lines between times and semitones, each 10 ms."""
    times_s = np.arange(corners[0][0], corners[-1][0], 0.01)
    return Curve(times_s, np.interp(times_s, *zip(*corners, strict=True)))


def test_the_end_of_a_statement_has_its_slope_in_spite_of_an_octave() -> None:
    heard = curve((0.0, 5.0), (0.5, 5.0), (0.6, 2.0))
    assert measure("Casala.", heard).final_slopes == pytest.approx([-30.0])
    heard.semitones[-2:] -= 12
    assert measure("casala", heard).final_slopes == pytest.approx([-30.0])


def test_questions_rise_by_a_semitone_or_more_and_commas_are_left_out() -> None:
    heard = curve((0.0, 0.0), (0.5, 0.0), (0.6, 2.0), (1.2, 2.0), (1.3, 2.5), (1.9, 2.5), (2.0, 9.0), (2.6, 9.0), (2.7, 8.0))
    found = measure("¿Casala? ¿Casala? Casala, casala…", heard)
    assert found.questions_rise == [True, False]
    assert found.final_slopes == pytest.approx([-10.0])


@pytest.mark.parametrize(("peak_s", "early"), [(0.15, True), (0.35, False)])
def test_a_peak_is_early_in_the_stressed_vowel_and_late_in_the_next(peak_s: float, early: bool) -> None:
    heard = curve((0.0, 0.0), (peak_s, 4.0), (0.5, 0.0), (0.6, 0.0))
    assert measure("casala", heard).early_peaks == [early]


def test_a_level_or_voiceless_stretch_has_no_figure() -> None:
    level = curve((0.0, 1.0), (0.4, 1.5), (0.5, 1.5))
    assert measure("casala", level) == melody.Melody()  # no peak, and no voice in the last vowel
    assert measure("casala", Curve(np.zeros(0), np.zeros(0))) == melody.Melody()
    assert measure("", level) == melody.Melody()


@needs_espeak
def test_a_statement_falls_and_a_question_rises_in_speech() -> None:
    told, asked = (f"Mañana vamos a la casa de tu hermana{end}" for end in ".?")
    fall, rise = (
        melody.measure(text, alignment.align(text, spoken(text)), melody.curve(pitch.track(spoken(text)))) for text in (told, asked)
    )
    assert fall.final_slopes[0] < 0 and not fall.questions_rise
    assert rise.questions_rise == [True] and not rise.final_slopes


@needs_espeak
def test_a_bent_end_differs_by_what_it_was_bent() -> None:
    text = "Mañana vamos a la casa de tu hermana."
    pcm = spoken(text)
    end = melody.end_of(alignment.spoken(alignment.align(text, pcm).sounds)[-1])
    assert end is not None
    before = melody.slope_of(melody.curve(pitch.track(pcm)).between(*end))
    bent, more = melody_speech.bend(pcm, *end, 4.0)
    lasts_s = 4.0 / more
    after = melody.slope_of(melody.curve(pitch.track(bent)).between(end[0], end[0] + lasts_s))
    assert before is not None and after is not None
    assert len(bent) / SAMPLE_RATE_HZ - len(pcm) / SAMPLE_RATE_HZ == pytest.approx(lasts_s - (end[1] - end[0]), abs=0.001)
    assert after - before == pytest.approx(more, rel=0.25)
