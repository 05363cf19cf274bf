"""benchmarks/bench_accent.py: the truth of the renditions, and what is scored."""

from collections import defaultdict

import numpy as np
import pytest

from benchmarks import accent_speech, bench_accent, melody_speech, stress_cues
from voz.metrics import espeak
from voz.metrics.accent.alignment import Sound

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")


@needs_espeak
def test_every_drawn_sound_is_found_in_the_text() -> None:
    tally: bench_accent.Tally = defaultdict(list)
    drawn = list(accent_speech.renditions(6, seed=2))
    for rendition in drawn:
        bench_accent.score_rendition(rendition, tally)  # strict: as many sounds as were drawn
    assert sum(len(each.coda) for each in drawn) > 3
    assert np.mean([right for found in tally.values() for right in found]) > 0.9


def test_the_end_of_a_false_word_is_lost_and_its_other_s_kept() -> None:
    line = accent_speech.RealLine("casta fe", "castas fe", np.zeros(1), {0})
    sounds = [Sound(name, at / 10, at / 10 + 0.1, at // 6) for at, name in enumerate("kastasfe")]
    assert [line.says(each, sounds) for each in sounds if each.name == "s"] == [accent_speech.KEPT, accent_speech.LOST]


@needs_espeak
def test_the_stress_of_a_text_is_that_of_the_language() -> None:
    assert stress_cues.of_text("vení tenés la casa rápido") == {0: stress_cues.LAST, 1: stress_cues.LAST, 3: stress_cues.PENULT}


@needs_espeak
def test_a_drawn_melody_is_found_again() -> None:
    tally: bench_accent.Tally = defaultdict(list)
    for pair in melody_speech.pairs(3, seed=4):
        bench_accent.score_melody(pair, tally)
    assert {name for name, _, _ in tally} >= {"final slope", "peak of a stressed vowel"}
    assert np.mean([right for found in tally.values() for right in found]) > 0.9


def test_the_table_has_a_row_per_figure_and_kind_of_speech() -> None:
    tally = {("a", "real", "kept"): [True, False], ("a", "real", "lost"): [True], ("a", "synthetic", "kept"): [True]}
    assert list(bench_accent.table(tally))[2:] == [
        "| a | real | kept 1 of 2, lost 1 of 1 | 75.0% |",
        "| a | synthetic | kept 1 of 1 | 100.0% |",
    ]
