"""voz/metrics/accent/sibilants.py: which /s/ a text has, and which of them a recording keeps."""

import numpy as np
import pytest

from tests.spoken_accents import spoken
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak, pitch
from voz.metrics.accent import alignment, sibilants, summary
from voz.metrics.accent.alignment import Sound
from voz.metrics.accent.spectrum import Spectrum

needs_espeak = pytest.mark.skipif(not espeak.available(), reason="espeak-ng is not installed (apt-get install espeak-ng)")
TEXT = "Los padres de Susana están desde el martes en las afueras, buscando a los demás."
#       s p    s d     s s     s t   s d          s _en: e    s_a      s,   s k    s d      s.
KEPT = "[[los p'aDRes De sus'ana est'an d,esDe el m'aRtes en las af'w,eRas]], [[busk'ando a los Dem'as]]."
SOME = "[[loh p'aDRe De sus'ana est'an d,ehDe el m'aRtes en las af'w,eRas]], [[buhk'ando a loh Dem'a]]."


def measure(text: str, pcm: np.ndarray) -> sibilants.Sibilants | None:
    return sibilants.measure(alignment.align(text, pcm).sounds, Spectrum(pcm))


@needs_espeak
def test_kept_aspirated_and_lost_are_told_apart() -> None:
    assert measure(TEXT, spoken(KEPT)) == sibilants.Sibilants(coda=[True] * 6, final=[True, True])
    assert measure(TEXT, spoken(SOME)) == sibilants.Sibilants(coda=[False, False, True, False, False, False], final=[True, False])


@needs_espeak
def test_shares_are_figures_and_quiet_speech_has_the_same() -> None:
    for gain in (1.0, 0.05):
        pcm = gain * spoken(SOME)
        found = summary.measure(TEXT, pcm, pitch.track(pcm))
        assert {name: found[name] for name in summary.SHARES if name in found} == pytest.approx({"s_coda": 1 / 6, "s_final": 1 / 2})


def sounds(names: str) -> list[Sound]:
    """Of a text whose words are set off by spaces; `_:` is a pause."""
    return [Sound(name, 0.0, 0.1, word) for word, part in enumerate(names.split(" ")) for name in part.split(".")]


def test_an_s_belongs_to_the_sound_after_it() -> None:
    line = sounds("l.o.s p.a.D.R.e.s _: s.j.e.n.s.j.a _ l.o.s a.m.i.Q.o.s s.a.n.o.s _:")
    assert [len(found(line)) for found in (sibilants.onset, sibilants.coda, sibilants.final)] == [3, 1, 2]


def test_an_s_before_a_fricative_like_it_is_not_judged() -> None:
    for after in ("S.a.B.e.s", "J^.a", "s.i", "tS.i.k.o", "j.j.a"):
        assert sibilants.coda(sounds(f"l.a.s {after}")) == []


@needs_espeak
def test_without_an_s_to_compare_with_nothing_is_said() -> None:
    assert measure("Los padres.", spoken("Los padres.")) is None
    narrow = spoken(KEPT)
    spectrum = np.fft.rfft(narrow)
    spectrum[np.fft.rfftfreq(len(narrow), 1 / SAMPLE_RATE_HZ) > 3_400] = 0.0  # as a telephone line does
    assert measure(TEXT, np.fft.irfft(spectrum, len(narrow)).astype(np.float32)) is None
