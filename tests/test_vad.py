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
