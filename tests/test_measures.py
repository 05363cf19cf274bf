"""voz/metrics/measures.py, on tones whose answer is known and on clips of a few seconds."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import clips, tiny_base
from voz.audio import wav
from voz.metrics import measures, pitch
from voz.model import xtts

RATE_HZ = wav.SAMPLE_RATE_HZ
ROOT = Path(__file__).parent.parent


def tone(hz: np.ndarray | float, *, length_s: float = 1.0, harmonics: tuple[float, ...] = (1.0, 0.6, 0.4, 0.2)) -> np.ndarray:
    """A voice-like tone with a constant or changing fundamental."""
    frequency = np.broadcast_to(hz, int(length_s * RATE_HZ))
    phase = 2 * np.pi * np.cumsum(frequency) / RATE_HZ
    return (0.2 * sum(level * np.sin(k * phase) for k, level in enumerate(harmonics, start=1))).astype(np.float32)


def test_it_can_be_the_first_module_that_a_process_imports() -> None:
    """torchaudio imports only after voz.compat's repair, wherever its extension was built for another torch."""
    done = subprocess.run([sys.executable, "-c", "import voz.metrics.measures"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("hz", [70.0, 120.0, 220.0, 440.0])
def test_pitch_of_a_tone(hz: float) -> None:
    found = measures.f0(pitch.track(tone(hz)))
    assert found is not None
    assert found.mean_hz == pytest.approx(hz, rel=0.005)
    assert found.range_st < 0.1
    assert found.mean_st == pytest.approx(12 * np.log2(hz / 100), abs=0.1)


def test_pitch_is_not_an_octave_off_where_the_fundamental_is_weak() -> None:
    found = measures.f0(pitch.track(tone(110.0, harmonics=(0.05, 1.0, 0.8, 0.6, 0.4))))
    assert found is not None and found.mean_hz == pytest.approx(110.0, rel=0.01)


def test_pitch_range_of_a_glide() -> None:
    found = measures.f0(pitch.track(tone(np.geomspace(100.0, 200.0, RATE_HZ * 6), length_s=6.0)))
    assert found is not None
    assert found.range_st == pytest.approx(0.9 * 12, abs=0.3)  # an octave, from the 5th to the 95th percentile
    assert found.range_hz == pytest.approx(100 * (2**0.95 - 2**0.05), rel=0.03)
    assert found.mean_st == pytest.approx(6.0, abs=0.15)


@pytest.mark.parametrize("samples", [10, RATE_HZ])  # 10: less than a frame
def test_silence_has_no_pitch(samples: int) -> None:
    assert measures.f0(pitch.track(np.zeros(samples, np.float32))) is None


def test_cepstra_are_the_coefficients_of_the_log_spectrum() -> None:
    bands = (np.arange(measures.MELS) + 0.5) / measures.MELS
    log_mel = 1.5 + 0.7 * np.cos(np.pi * bands) - 0.3 * np.cos(5 * np.pi * bands) + 9.0 * np.cos(20 * np.pi * bands)
    found = measures.cosines(log_mel[None])[0]
    assert found == pytest.approx([0.7, 0, 0, 0, -0.3, *[0] * 8], abs=1e-9)


def test_distortion_of_two_spectra_is_their_distance_in_db() -> None:
    quiet, loud = np.zeros((1, 13)), np.zeros((1, 13))
    loud[0, 2] = 1.0  # ln|X| differs by cos(3 x): its RMS is sqrt(1/2) nepers of 8.686 dB
    assert measures.distortion_db(quiet, loud) == pytest.approx(8.685889638 * np.sqrt(0.5))


def test_distortion_depends_on_the_words_not_on_level_length_or_silence() -> None:
    one, other = clips.pcm("mine-0"), clips.pcm("mine-1")
    assert measures.mcd_db(one, one) == 0.0
    assert measures.mcd_db(0.5 * one, one) < 0.5
    padded = np.concatenate([np.zeros(RATE_HZ // 2, np.float32), one, np.zeros(RATE_HZ, np.float32)])
    assert measures.mcd_db(padded, one) < 0.5
    slower = wav.resample(one, RATE_HZ, int(RATE_HZ * 1.1))  # 10 % longer, and a little deeper
    assert 0.5 < measures.mcd_db(slower, one) < measures.mcd_db(other, one)


def test_character_errors_of_spoken_forms() -> None:
    assert measures.cer("Che, ¿vos qué querés?", "che vos qué querés") == 0.0
    assert measures.cer("Son las 3.", "son las tres") == 0.0
    assert measures.cer("hola", "ola") == pytest.approx(0.25)
    assert measures.cer("hola", "") == 1.0
    assert measures.cer("hola", "hola hola hola") == pytest.approx(2.5)  # words too many count: above 1
    assert measures.cer("…", "") == 0.0 and measures.cer("…", "algo") == 1.0


def test_speaker_embedding_is_coquis_own(tmp_path: Path) -> None:
    model = xtts.load_model(tiny_base.make(tmp_path / "base"))
    one, other = (xtts.speaker_embedding(model, clips.pcm(name)) for name in ("mine-0", "mine-1"))
    assert one.shape == (512,) and np.linalg.norm(one) == pytest.approx(1.0, abs=1e-5)
    assert np.array_equal(one, xtts.conditioning(model, clips.pcm("mine-0")).speaker.flatten().numpy())
    assert measures.similarity(one, [one]) == pytest.approx(1.0, abs=1e-5)
    assert measures.similarity(one, [one, other]) == pytest.approx((1.0 + float(one @ other)) / 2, abs=1e-5)
