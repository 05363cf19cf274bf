"""voz/audio/vad.py: silero on many frames at once gives the probabilities of silero frame by frame."""

from pathlib import Path

import numpy as np
import silero_vad
import soundfile
import soxr
import torch

from voz.audio import vad

NOTE = Path(__file__).parent / "fixtures" / "note.opus"


def test_probabilities_are_those_of_sileros_own_forward() -> None:
    """In one call, and in several, between which the state is kept."""
    pcm, rate_hz = soundfile.read(NOTE, dtype="float32")
    pcm = soxr.resample(pcm, rate_hz, 16_000, quality="HQ")
    pcm = pcm[: len(pcm) // 512 * 512]
    whole, blocks = vad._Silero(), vad._Silero()
    at = len(pcm) // 1024 * 512
    found = whole.probabilities(pcm)
    in_blocks = np.concatenate([blocks.probabilities(part) for part in (pcm[:at], pcm[:0], pcm[at:])])
    own = silero_vad.load_silero_vad()
    with torch.inference_mode():
        expected = np.array([own(frame, 16_000).item() for frame in torch.from_numpy(pcm).reshape(-1, 1, 512)])
    assert expected.max() > 0.9 and expected.min() < 0.1  # the note holds speech and pauses
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(in_blocks - expected).max() < 1e-5


def test_what_runs_after_has_its_threads_again() -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        vad._Silero().probabilities(np.zeros(512 * 4, np.float32))
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def spoken_with_gap(gap_hops: int, low_hops: int, lowest: float, gap_db: float) -> tuple[np.ndarray, np.ndarray]:
    """Probability and energy of 2 s of speech with a gap in its middle, in which silero falls to `lowest` for `low_hops`."""
    probability, energy = np.full(300, 0.99), np.full(300, 1e-3)
    energy[150 : 150 + gap_hops] = 1e-3 * 10 ** (gap_db / 10)
    probability[150 + gap_hops - low_hops : 150 + gap_hops] = lowest
    return probability, energy


def test_a_pause_that_silero_bridges_is_found_and_a_closure_is_not() -> None:
    """A pause of 173 ms, 40 dB under the voice, in which silero dips for 87 ms; a closure as long in which it does not."""
    probability, energy = spoken_with_gap(26, 13, 0.05, -40.0)
    mask = vad.speech_mask(probability, energy, noise_db=-75.0)
    assert [(start, end) for start, end in vad.runs(~mask)] == [(151, 175)]  # the 20 ms at both edges hold speech
    closure = spoken_with_gap(26, 13, 0.7, -40.0)
    assert vad.speech_mask(*closure, noise_db=-75.0).all()
    short_dip = spoken_with_gap(26, 9, 0.05, -40.0)  # 60 ms
    assert vad.speech_mask(*short_dip, noise_db=-75.0).all()
    loud = spoken_with_gap(26, 13, 0.05, -15.0)  # a breath, or a weak sound
    assert vad.speech_mask(*loud, noise_db=-75.0).all()
