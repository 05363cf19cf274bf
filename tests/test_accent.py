"""voz/metrics/accent.py and voz/metrics/espeak.py: which ⟨ll, y⟩ there are, where they are heard, and what was said."""

import ctypes.util
import json
from pathlib import Path

import numpy as np
import pytest

from pocket.corpus import speech, voices
from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import accent, espeak
from voz.pipeline.command import UserError

REPORT = Path(__file__).parents[1] / "pocket" / "reports" / "accent.json"
needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")

TEXT = "Yo llamé a Guillermo. La lluvia cayó en la calle, y el hielo no es muy rey."  # six windows; hielo, muy, rey and y have none
SHE = "[[So Sam'e a QiS'eRmo]]. [[la S'uBja kaS'o en la k'aSe]], y el hielo no es muy rey."


def spoken(text: str) -> np.ndarray:
    said = espeak.say(text)
    return wav.resample(said.pcm, said.rate_hz, SAMPLE_RATE_HZ)


@needs_espeak
def test_a_text_sounds_the_same_whatever_was_said_before():
    first, _, again = (espeak.say(text) for text in (TEXT, "Otra cosa, más larga: ¿quién la dijo, y cuándo?", TEXT))
    assert np.array_equal(first.pcm, again.pcm) and first.phones == again.phones


def phone(name: str, start_s: float) -> espeak.Phone:
    return espeak.Phone(name, start_s, start_s + 0.1)


def test_the_glide_of_hielo_is_no_window_and_twice_the_glide_is_one():
    names = ["J^", "o", "_:", "j", "e", "l", "o", "Q", "i", "j", "j", "e", "u", "n", "dZ", "a"]
    spans = accent.ye_spans([phone(name, at / 10) for at, name in enumerate(names)])
    assert [(span.start_s, span.first) for span in spans] == [(0.0, True), (0.9, False), (1.4, False)]
    assert spans[1].end_s == pytest.approx(1.1)  # both halves of Guillermo's


def test_the_path_follows_a_stretch():
    series = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    slow = np.repeat(series, 2)
    rows, columns = accent.warp(np.abs(series[:, None] - slow[None]))
    assert rows.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and columns.tolist() == [*range(10)]


def test_noise_hisses_a_hum_does_not_and_silence_says_nothing():
    rng = np.random.default_rng(0)
    second = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hum = 0.3 * np.sin(2 * np.pi * 220 * second)
    hiss = np.diff(0.1 * rng.standard_normal(SAMPLE_RATE_HZ + 1))
    heard = accent.hiss_db(np.concatenate([hum, hiss, 0 * second]).astype(np.float32))
    third = len(heard) // 3
    assert np.nanmedian(heard[:third]) < -20
    assert np.nanmedian(heard[third : 2 * third]) > 10
    assert np.isnan(heard[2 * third + 10 :]).all()


def test_share_of_nothing_is_no_number():
    assert np.isnan(accent.share([]))
    assert accent.share([accent.Window(0, 1, 10.0), accent.Window(1, 2, -10.0)]) == 0.5


@needs_espeak
def test_six_windows_in_their_order_and_all_of_each_accent():
    ye, she = accent.listen(TEXT, spoken(TEXT)), accent.listen(TEXT, spoken(SHE))
    assert len(ye) == len(she) == 6
    assert [window.start_s for window in ye] == sorted(window.start_s for window in ye)
    assert accent.share(ye) == 0.0 and accent.share(she) == 1.0


@needs_espeak
def test_windows_move_with_the_speech():
    late = np.concatenate([np.zeros(SAMPLE_RATE_HZ // 2, np.float32), spoken(TEXT)])
    moved = [b.start_s - a.start_s for a, b in zip(accent.listen(TEXT, spoken(TEXT)), accent.listen(TEXT, late), strict=True)]
    assert moved[0] == pytest.approx(0.5, abs=accent.FIRST_MARGIN_S)  # it begins in the silence before, where every frame is alike
    assert moved[1:] == pytest.approx([0.5] * 5, abs=0.03)


@needs_espeak
def test_no_window_no_sound_nothing_found():
    assert accent.listen("Muy buen hielo, rey.", spoken("Muy buen hielo, rey.")) == []
    assert accent.listen(TEXT, np.zeros(SAMPLE_RATE_HZ, np.float32)) == []


@needs_espeak
def test_phonemes_have_times_that_fill_the_sound():
    said = espeak.say("La calle.")
    assert [each.name for each in said.phones[:6]] == ["l", "a", "k", "a", "j", "j"]
    assert said.phones[-1].end_s == pytest.approx(len(said.pcm) / said.rate_hz)


def test_without_espeak_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    espeak._library_name.cache_clear()
    with pytest.raises(UserError, match="apt-get install espeak-ng"):
        espeak.say("Hola.")
    espeak._library_name.cache_clear()


@needs_espeak
def test_both_accents_are_told_apart_in_unseen_voices():
    lines = ("Yo llamé a Guillermo ayer.", "La lluvia cayó en la playa.")
    found = [
        window.sheismo == (voice.accent == voices.SHE)
        for voice in voices.asr_voices(1, "test")
        for line in lines
        for window in accent.listen(line, speech.speak(line, voice))
    ]
    assert len(found) == 2 * 8 * 7
    assert np.mean(found) >= 0.95


def test_the_report_in_git_is_about_this_threshold():
    assert json.loads(REPORT.read_text(encoding="utf-8"))["threshold_db"] == accent.THRESHOLD_DB
