"""voz/metrics/accent.py and voz/metrics/espeak.py: which ⟨ll, y⟩ a text has, where a recording speaks them, and how."""

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

TEXT = "Yo llamé a Guillermo. La lluvia cayó en la calle, y el hielo no es muy rey."  # six windows; hielo, muy, rey and y are glides
SHE = "[[So Sam'e a QiS'eRmo]]. [[la S'uBja kaS'o en la k'aSe]], y el hielo no es muy rey."


def spoken(text: str) -> np.ndarray:
    speech = espeak.say(text)
    return wav.resample(speech.pcm, speech.rate_hz, SAMPLE_RATE_HZ)


@needs_espeak
def test_a_text_sounds_the_same_after_another_one():
    first, _, again = (espeak.say(text) for text in (TEXT, "Otra cosa, más larga: ¿quién la dijo, y cuándo?", TEXT))
    assert np.array_equal(first.pcm, again.pcm) and first.phones == again.phones


def phone(name: str, start_s: float) -> espeak.Phone:
    return espeak.Phone(name, start_s, start_s + 0.1)


def test_one_glide_is_not_a_window_and_two_are():
    names = ["J^", "o", "_:", "j", "e", "l", "o", "Q", "i", "j", "j", "e", "u", "n", "dZ", "a"]
    spans = accent.ye_spans([phone(name, at / 10) for at, name in enumerate(names)])
    assert [(span.start_s, span.first) for span in spans] == [(0.0, True), (0.9, False), (1.4, False)]
    assert spans[1].end_s == pytest.approx(1.1)  # both halves of Guillermo's


def test_noise_over_voicing_is_high_in_noise_low_in_a_hum_and_missing_in_silence():
    rng = np.random.default_rng(0)
    second = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hum = 0.3 * np.sin(2 * np.pi * 220 * second)
    hiss = np.diff(0.1 * rng.standard_normal(SAMPLE_RATE_HZ + 1))
    found_db = accent.hiss_db(np.concatenate([hum, hiss, 0 * second]).astype(np.float32))
    third = len(found_db) // 3
    assert np.nanmedian(found_db[:third]) < -20
    assert np.nanmedian(found_db[third : 2 * third]) > 10
    assert np.isnan(found_db[2 * third + 10 :]).all()


def test_share_of_no_windows_is_nan():
    assert np.isnan(accent.share([]))
    assert accent.share([accent.Window(0, 1, 10.0), accent.Window(1, 2, -10.0)]) == 0.5


@needs_espeak
def test_six_windows_in_order_and_both_accents_told_apart():
    ye, she = accent.find_windows(TEXT, spoken(TEXT)), accent.find_windows(TEXT, spoken(SHE))
    assert len(ye) == len(she) == 6
    assert [window.start_s for window in ye] == sorted(window.start_s for window in ye)
    assert accent.share(ye) == 0.0 and accent.share(she) == 1.0


@needs_espeak
def test_windows_move_with_the_speech():
    late = np.concatenate([np.zeros(SAMPLE_RATE_HZ // 2, np.float32), spoken(TEXT)])
    moved = [b.start_s - a.start_s for a, b in zip(accent.find_windows(TEXT, spoken(TEXT)), accent.find_windows(TEXT, late), strict=True)]
    assert moved[0] == pytest.approx(0.5, abs=accent.FIRST_MARGIN_S)  # aligned with silence, whose frames are all alike
    assert moved[1:] == pytest.approx([0.5] * 5, abs=0.03)


@needs_espeak
def test_no_windows_in_a_text_without_them_or_in_silence():
    assert accent.find_windows("Muy buen hielo, rey.", spoken("Muy buen hielo, rey.")) == []
    assert accent.find_windows(TEXT, np.zeros(SAMPLE_RATE_HZ, np.float32)) == []


@needs_espeak
def test_phonemes_fill_the_speech():
    speech = espeak.say("La calle.")
    assert [each.name for each in speech.phones[:6]] == ["l", "a", "k", "a", "j", "j"]
    assert speech.phones[-1].end_s == pytest.approx(len(speech.pcm) / speech.rate_hz)


def test_without_espeak_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    espeak._library_name.cache_clear()
    assert espeak.version() == ""
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
        for window in accent.find_windows(line, speech.speak(line, voice))
    ]
    assert len(found) == 2 * 8 * 7
    assert np.mean(found) >= 0.95


def test_the_report_in_git_is_about_this_threshold():
    assert json.loads(REPORT.read_text(encoding="utf-8"))["threshold_db"] == accent.THRESHOLD_DB
