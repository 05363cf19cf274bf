"""voz/metrics/espeak.py: Spanish speech, the time of each phoneme, and which word it belongs to."""

import ctypes
import ctypes.util

import numpy as np
import pytest

from voz.metrics import espeak
from voz.pipeline.command import UserError

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")


@needs_espeak
def test_a_text_sounds_the_same_after_another_one() -> None:
    text = "Yo llamé a Guillermo."
    first, _, again = (espeak.say(each) for each in (text, "Otra cosa, más larga: ¿quién la dijo, y cuándo?", text))
    assert np.array_equal(first.pcm, again.pcm) and first.phones == again.phones


@needs_espeak
def test_a_text_sounds_the_same_whatever_random_numbers_the_program_has_drawn() -> None:
    """A breathy voice: espeak-ng draws its noise with C's rand, whose state the process of a call has from the one that started it."""
    c, found = ctypes.CDLL(None), []
    for seed in (1, 7):  # 1 as in a new process
        c.srand(seed)
        found.append(espeak.synthesize("[[S'o]], la calle.", espeak.Speaker("es-419+f2"), espeak.PHONEME)[0])
    assert np.array_equal(*found)


@needs_espeak
def test_phonemes_fill_the_speech() -> None:
    speech = espeak.say("La calle.")
    assert [each.name for each in speech.phones[:6]] == ["l", "a", "k", "a", "j", "j"]
    assert speech.phones[-1].end_s == pytest.approx(len(speech.pcm) / speech.rate_hz)


@needs_espeak
def test_each_phoneme_knows_its_word() -> None:
    speech = espeak.say("¿Podés, ver? Acá hay 25.")
    assert speech.words == ["Podés", "ver", "Acá", "hay", "25"]
    spoken = {
        word: "".join(each.name for each in speech.phones if each.word == at and "_" not in each.name)
        for at, word in enumerate(speech.words)
    }
    assert spoken["Podés"] == "poDes" and spoken["ver"] == "ber" and spoken["Acá"] == "aka" and spoken["25"].endswith("sinko")


@needs_espeak
def test_the_vowel_of_a_stressed_syllable_is_stressed() -> None:
    phones = espeak.say("¿Vos tenés, Guillermo? Rápido, [[la k'a::sa]].").phones
    assert [each.name for each in phones if each.stressed] == ["o", "e", "e", "a", "a"]


def test_a_phoneme_that_the_mnemonics_lack_is_unstressed() -> None:
    marks = [espeak.Mark(espeak.PHONEME, name, 0, 0, 0) for name in ("p", "a", "_:", "X", "o")]
    assert [each.stressed for each in espeak._with_stress(marks, "p'a_:'o")] == [False, True, False, False, True]


def test_without_espeak_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    espeak._library_name.cache_clear()
    assert espeak.version() == ""
    with pytest.raises(UserError, match="apt-get install espeak-ng"):
        espeak.say("Hola.")
    espeak._library_name.cache_clear()
