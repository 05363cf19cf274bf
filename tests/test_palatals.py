"""voz/metrics/accent/palatals.py: which ⟨ll, y⟩ a text has, and whether they are [ʃ], [ʒ] or [ʝ]."""

import dataclasses

import numpy as np
import pytest

from pocket.corpus import speech, voices
from tests.spoken_accents import spoken
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak
from voz.metrics.accent import palatals
from voz.metrics.accent.alignment import Sound
from voz.metrics.accent.spectrum import Spectrum

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
TEXT = "Yo sé que llamé a Guillermo. La lluvia cayó en la calle, y el hielo no es muy rey."  # six; hielo, muy, rey and y are glides
FRICATIVE = "[[So s'e ke Sam'e a QiS'eRmo]]. [[la S'uBja kaS'o en la k'aSe]], y el hielo no es muy rey."


def sound(name: str, start_s: float) -> Sound:
    return Sound(name, start_s, start_s + 0.1, 0)


def test_one_glide_is_not_a_window_and_two_are() -> None:
    names = ["J^", "o", "_:", "j", "e", "l", "o", "Q", "i", "j", "j", "e", "u", "n", "dZ", "a"]
    spans = palatals.ye_spans([sound(name, at / 10) for at, name in enumerate(names)])
    assert [(span.start_s, span.first) for span in spans] == [(0.0, True), (0.9, False), (1.4, False)]
    assert spans[1].end_s == pytest.approx(1.1)  # both halves of Guillermo's


def test_noise_over_voicing_is_high_in_noise_low_in_a_hum_and_silence_is_not_audible() -> None:
    rng = np.random.default_rng(0)
    second = np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    hum = 0.3 * np.sin(2 * np.pi * 220 * second)
    hiss = np.diff(0.1 * rng.standard_normal(SAMPLE_RATE_HZ + 1))
    spectrum = Spectrum(np.concatenate([hum, hiss, 0 * second]).astype(np.float32))
    found_db = spectrum.ratio_db(palatals.HISS_HZ, palatals.HUM_HZ)
    third = len(found_db) // 3
    assert np.median(found_db[:third]) < -20
    assert np.median(found_db[third : 2 * third]) > 10
    assert spectrum.audible[: 2 * third].all() and not spectrum.audible[2 * third + 10 :].any()


def test_share_of_no_windows_is_nan() -> None:
    window = palatals.Window(0, 1, hiss_db=10.0, friction_db=5.0, voicing_db=-3.0)
    assert np.isnan(palatals.share([]))
    assert palatals.share([window, dataclasses.replace(window, hiss_db=-10.0)]) == 0.5


def test_friction_is_voiced_only_against_an_s() -> None:
    window = palatals.Window(0, 1, hiss_db=4.0, friction_db=0.0, voicing_db=15.0)
    assert window.zheismo and not window.sheismo
    unknown = dataclasses.replace(window, voicing_db=None)
    assert unknown.sheismo and not unknown.zheismo


@needs_espeak
@pytest.mark.parametrize(("ye", "sheismo", "zheismo"), [("S", 1.0, 0.0), ("Z", 0.0, 1.0), ("J^", 0.0, 0.0)])
def test_six_windows_in_order_and_three_accents_told_apart(ye: str, sheismo: float, zheismo: float) -> None:
    found = palatals.find_windows(TEXT, spoken(FRICATIVE.replace("S", ye)))
    assert len(found) == 6 and [each.start_s for each in found] == sorted(each.start_s for each in found)
    assert palatals.share(found) == sheismo and np.mean([each.zheismo for each in found]) == zheismo


@needs_espeak
def test_no_windows_in_a_text_without_them_or_in_silence() -> None:
    assert palatals.find_windows("Muy buen hielo, rey.", spoken("Muy buen hielo, rey.")) == []
    assert palatals.find_windows(TEXT, np.zeros(SAMPLE_RATE_HZ, np.float32)) == []


@needs_espeak
def test_both_accents_are_told_apart_in_many_voices() -> None:
    lines = ("Yo llamé a Guillermo ayer.", "La lluvia cayó en la playa.")
    found = [
        window.sheismo == (voice.accent == voices.SHE)
        for voice in voices.asr_voices(1, "test")
        for line in lines
        for window in palatals.find_windows(line, speech.speak(line, voice))
    ]
    assert len(found) == 2 * 8 * 7
    assert np.mean(found) >= 0.95
