"""voz/metrics/accent/alignment.py: where another voice speaks the sounds of a text."""

import numpy as np
import pytest

from tests.spoken_accents import VOICE, spoken
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import dtw, espeak
from voz.metrics.accent import alignment

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
TEXT = "Mirá, los padres de Guillermo no están en la calle desde ayer."


@needs_espeak
def test_another_voice_through_opus_is_aligned_within_20_ms() -> None:
    _, rate_hz, marks = espeak.synthesize(TEXT, VOICE, espeak.PHONEME)
    found = [each for each in alignment.align(TEXT, spoken(TEXT)).sounds if "_" not in each.name]
    truth = [mark for mark in marks if "_" not in mark.name]
    assert [each.name for each in found] == [mark.name for mark in truth]
    errors_s = [abs(each.start_s - mark.sample / rate_hz) for each, mark in zip(found, truth, strict=True)]
    assert np.percentile(errors_s, 90) < 0.02


@needs_espeak
def test_silence_before_the_speech_moves_all_sounds() -> None:
    late = np.concatenate([np.zeros(SAMPLE_RATE_HZ // 2, np.float32), spoken(TEXT)])
    pairs = zip(alignment.align(TEXT, spoken(TEXT)).sounds, alignment.align(TEXT, late).sounds, strict=True)
    moved_s = [after.start_s - before.start_s for before, after in pairs]
    assert moved_s[2:-2] == pytest.approx([0.5] * len(moved_s[2:-2]), abs=0.03)


@needs_espeak
def test_silence_has_no_sounds_and_a_text_without_letters_neither() -> None:
    assert alignment.align(TEXT, np.zeros(SAMPLE_RATE_HZ, np.float32)).sounds == []
    assert alignment.spoken(alignment.align("", spoken(TEXT)).sounds) == []


def test_times_are_mapped_along_the_path() -> None:
    path = dtw.Path(np.array([0, 1, 1, 2]), np.array([0, 1, 2, 3]), 0.0)
    hop_s = alignment.HOP_S
    assert alignment.map_times(path, np.array([0.0, 1.0, 1.5, 2.0]) * hop_s) / hop_s == pytest.approx([0.0, 1.5, 2.25, 3.0])


def sound(name: str) -> alignment.Sound:
    return alignment.Sound(name, 0.0, 0.1, 0)


def test_phrases_end_at_pauses_not_at_gaps_between_words() -> None:
    phrases = alignment.spoken([sound(name) for name in ("a", "_", "s", "_:", "_", "o", "_:", "_")])
    assert [[each.name for each in phrase] for phrase in phrases] == [["a", "s"], ["o"]]
