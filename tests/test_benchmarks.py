"""benchmarks/: word times are where the words sound; the rivals' rules cut as published."""

import numpy as np
import pytest

from benchmarks import bench_cuts, slicing, spoken_notes, whisper_words
from benchmarks.spoken_notes import SpokenNote, Word
from pocket.corpus import voices

RATE_HZ = 22_050


def test_words_begin_with_the_closure_of_their_first_sound() -> None:
    """Between a vowel and p, t, k the voice pauses for 20 to 60 ms: that silence follows the word's start, never precedes it."""
    pcm, words = spoken_notes.say("La casa tapa la pata. ¿Qué? Toma café.", voices.DEMO_SPEAKER)
    assert [word.closes for word in words] == [False, False, False, False, True, True, False, True]
    energy = np.convolve(pcm.astype(np.float64) ** 2, np.ones(220), mode="same")  # 10 ms
    for index in (1, 2, 4):
        start = round(words[index].start_s * RATE_HZ)
        around = energy[start - 1_100 : start + 1_450]
        assert 0 <= int(np.argmin(around)) - 1_100 <= 0.06 * RATE_HZ, index
    assert words[0].start_s == 0.0
    assert words[-1].end_s == pytest.approx(len(pcm) / RATE_HZ, abs=1e-4)
    assert words[5].start_s - words[4].end_s > 0.1  # the pause at a full stop belongs to no word


def test_a_note_holds_its_words_where_it_says() -> None:
    pcm, words = spoken_notes.make_note(3, 5, span_s=(6.0, 8.0))
    energy = np.convolve(pcm.astype(np.float64) ** 2, np.ones(160) / 160, mode="same")  # 10 ms at 16 kHz
    within = np.concatenate([energy[round(word.start_s * 16_000) : round(word.end_s * 16_000)] for word in words])
    assert words[-1].end_s < len(pcm) / 16_000
    assert within.mean() > 10 * energy[: round((words[0].start_s - 0.02) * 16_000)].mean()


def test_whisper_finds_words_about_where_they_are() -> None:
    pcm, truth = spoken_notes.make_note(3, 5, span_s=(14.0, 15.0))  # two windows
    found = whisper_words.words(whisper_words.pocket_whisper(), pcm)
    assert len(found) == pytest.approx(len(truth), rel=0.15)
    ends = np.array([word.end_s for word in truth])
    away_s = [np.abs(ends - word.end_s).min() for word in found]
    assert np.median(away_s) < 0.1 and max(word.end_s for word in found) <= len(pcm) / 16_000 + 0.02
    assert sum(word.closes for word in found) == pytest.approx(sum(word.closes for word in truth), abs=1)


def test_energy_slicer_cuts_long_pauses_of_long_clips_only() -> None:
    def tone(seconds: float) -> np.ndarray:
        return 0.3 * np.sin(np.arange(round(seconds * RATE_HZ)) * 0.3)

    def pause(seconds: float) -> np.ndarray:
        return np.zeros(round(seconds * RATE_HZ))

    pcm = np.concatenate([tone(3), pause(0.5), tone(2), pause(0.2), tone(1), pause(0.4), tone(5), pause(3), tone(4), pause(0.1)])
    (a, b), (c, d), (e, f) = slicing.energy_slices(pcm, RATE_HZ)
    assert a == 0.0 and 6.7 < b == c < 7.1  # not at 3 s: too short yet; not at 5.5 s: a pause of 0.2 s
    assert 12.0 < d < 12.6 and 14.5 < e < 15.1  # at most half a second of the long pause is kept on each side
    assert f == pytest.approx(len(pcm) / RATE_HZ)


def test_sentence_clips_share_short_pauses_and_take_a_buffer_of_long_ones() -> None:
    words = [Word(1.0, 1.4, False), Word(1.4, 2.0, True), Word(2.1, 3.0, True), Word(5.0, 6.0, True)]
    expected = [(0.8, 2.05), (2.05, 3.2), (4.8, 6.2)]
    assert np.allclose(slicing.sentence_clips(words, 10.0), expected)


def test_a_cut_in_a_word_counts_once_and_the_ends_of_the_note_do_not() -> None:
    note = SpokenNote("a.opus", [Word(0.5, 1.0, False), Word(1.0, 2.0, True)], 4.0)
    found = bench_cuts.score("x", [note], [[(0.003, 0.99), (0.99, 1.5), (1.5, 3.995)]])
    assert (found.cuts, found.inside) == (2, 1)
    assert found.speech_kept == 1.0
    assert bench_cuts.score("x", [note], [[(0.9, 1.5)]]).speech_kept == pytest.approx(0.6 / 1.5)
