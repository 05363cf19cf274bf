"""voz/metrics/line_faults.py: noise after the words is cut off and nothing else; what is wrong with a line is named."""

import numpy as np
import pytest

from tests import clips
from voz.audio import wav
from voz.metrics import line_faults

RATE_HZ = 24_000
TEXT = "Che, ¿vos sabés a qué hora llega el colectivo?"  # 45 letters and spaces


def speech(name: str = "mine-0") -> np.ndarray:
    return wav.resample(clips.pcm(name), wav.SAMPLE_RATE_HZ, RATE_HZ)


def noise(seconds: float, level: float) -> np.ndarray:
    """Rumble, as a vocoder makes it of codes that mean nothing: white noise, low frequencies up. float32 [T]"""
    rng = np.random.default_rng(5)
    spectrum = np.fft.rfft(rng.standard_normal(round(seconds * RATE_HZ)))
    hz = np.fft.rfftfreq(round(seconds * RATE_HZ), 1 / RATE_HZ)
    pcm = np.fft.irfft(spectrum / (1 + hz / 200), round(seconds * RATE_HZ))
    return (pcm / pcm.std() * level).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE_HZ), np.float32)


@pytest.mark.parametrize("name", ["mine-0", "mine-1", "other-0"])
def test_clean_speech_is_not_touched_nor_its_silence(name: str) -> None:
    for pcm in (speech(name), np.concatenate([speech(name), silence(1.0)])):
        kept = line_faults.cut_noise(pcm)
        assert kept.cut_s == 0.0 and kept.pcm is pcm


@pytest.mark.parametrize(("gap_s", "noise_s", "share"), [(0.0, 1.5, 0.3), (0.3, 1.0, 0.3), (0.3, 0.5, 0.1)])
def test_noise_after_the_words_is_cut_off(gap_s: float, noise_s: float, share: float) -> None:
    clean = speech()
    level = float(np.sqrt(np.mean(clean**2)))
    kept = line_faults.cut_noise(np.concatenate([clean, silence(gap_s), noise(noise_s, share * level)]))
    assert kept.cut_s == pytest.approx(gap_s + noise_s, abs=0.4)
    same = len(kept.pcm) - round(0.03 * RATE_HZ)
    assert np.array_equal(kept.pcm[: min(same, len(clean))], clean[: min(same, len(clean))])
    assert kept.pcm[-1] == 0.0  # faded out
    assert len(kept.pcm) > len(clean) - 0.4 * RATE_HZ


@pytest.mark.parametrize("under_db", [12, 20, 26])
def test_a_background_as_loud_between_the_words_as_after_them_is_the_voice_and_not_cut(under_db: float) -> None:
    clean = np.concatenate([speech("mine-0"), silence(0.4), speech("mine-1"), silence(1.5)])
    level = float(np.sqrt(np.mean(clean[clean != 0] ** 2))) * 10 ** (-under_db / 20)
    noisy = clean + noise(len(clean) / RATE_HZ, level)[: len(clean)]
    assert line_faults.cut_noise(noisy).cut_s == 0.0


def test_sound_without_any_word_is_left_to_whisper() -> None:
    pcm = noise(2.0, 0.1)
    assert line_faults.cut_noise(pcm).cut_s == 0.0


@pytest.mark.parametrize(
    ("seconds", "cut_s", "transcript", "expected"),
    [
        (3.5, 0.0, "che vos sabes a que hora llega el colectivo", []),
        (1.2, 0.0, TEXT, [line_faults.TOO_SHORT]),
        (10.5, 0.0, TEXT, [line_faults.TOO_LONG]),
        (3.5, 0.5, TEXT, []),
        (3.5, 1.5, TEXT, [line_faults.NOISE]),
        (3.5, 0.0, f"{TEXT} Punto.", [line_faults.FULL_STOP]),
        (3.5, 0.0, "", [line_faults.MISHEARD]),
        (
            12.0,
            2.0,
            "gracias por ver el video punto",
            [line_faults.TOO_LONG, line_faults.NOISE, line_faults.FULL_STOP, line_faults.MISHEARD],
        ),
    ],
)
def test_faults_of_a_line(seconds: float, cut_s: float, transcript: str, expected: list[str]) -> None:
    assert line_faults.find(TEXT, silence(seconds), cut_s=cut_s, transcript=transcript, max_cer=0.3) == expected


def test_one_word_may_take_its_time() -> None:
    assert line_faults.find("Sí.", silence(1.2), cut_s=0.0, transcript="sí", max_cer=0.3) == []
    assert line_faults.find("Sí.", silence(2.0), cut_s=0.0, transcript="sí", max_cer=0.3) == [line_faults.TOO_LONG]


def test_a_punto_that_was_written_is_no_fault() -> None:
    text = "Y punto."
    assert line_faults.find(text, silence(1.0), cut_s=0.0, transcript="y punto", max_cer=0.3) == []


def test_full_stops_are_set_apart_and_nothing_else() -> None:
    assert line_faults.full_stops_apart("Dale. Nos vemos a las tres. ¿Sí? Bueno…") == "Dale . Nos vemos a las tres . ¿Sí? Bueno…"
    assert line_faults.full_stops_apart("Qué sé yo... A.B no.") == "Qué sé yo... A.B no ."
