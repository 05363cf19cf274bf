"""What pocket/evaluate_voices.py measures of lines that a voice speaks, besides likeness: words, sheísmo, friction, melody."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import measures, pitch
from voz.metrics.accent import alignment, palatals, sibilants
from voz.metrics.accent.spectrum import Spectrum
from voz.model.transcriber import Transcriber

FRICTION_HZ = (4_000.0, 8_000.0)
SHORTEST_S = 0.05  # of a sound whose spectrum is looked at: 20 Hz from line to line, so that clicks at 60 Hz and more are told apart


def mean_cer(ears: Transcriber, texts: Sequence[str], pcms: Sequence[np.ndarray], *, label: str) -> float:
    """Mean CER over lines, each at most 1, so that one runaway line does not dominate. pcms: at 22 050 Hz, [T] each"""
    heard = ears.texts(pcms, rate_hz=SAMPLE_RATE_HZ, ids=[f"line {number}" for number in range(len(pcms))], label=label)
    return round(float(np.mean([measures.capped_cer(*pair) for pair in zip(texts, heard, strict=True)])), 4)


def sounds(texts: Sequence[str], pcms: Sequence[np.ndarray]) -> dict[str, Any]:
    """How lines sound. pcms: at 22 050 Hz, [T] each

    Returns:
        sheismo, windows: share of ⟨ll, y⟩ spoken as [ʃ], and their number.
        flatness_db: of [s] before vowels and of [ʃ], 4 to 8 kHz, mean: -2.5 for white noise, much less for a train of clicks. A real
            speaker, at 16 kHz through Opus, has -7.9 (24 clips): read it beside that of recordings of the same band.
        f0_range_st: range of the pitch, 5th to 95th percentile in semitones, mean over statements and over questions.
    """
    windows: list[palatals.Window] = []
    flat_db: list[float] = []
    ranges: dict[str, list[float]] = {"statements": [], "questions": []}
    for text, pcm in zip(texts, pcms, strict=True):
        spoken = alignment.align(text, pcm).sounds
        found = palatals.windows(spoken, Spectrum(pcm)) if palatals.ye_spans(spoken) else []
        windows += found
        places = [(each.start_s, each.end_s) for each in [*sibilants.onset(spoken), *(each for each in found if each.sheismo)]]
        flat_db += [flatness_db(pcm, *place) for place in places if place[1] - place[0] >= SHORTEST_S]
        if (f0 := measures.f0(pitch.track(pcm))) is not None:
            ranges["questions" if text.rstrip().endswith("?") else "statements"].append(f0.range_st)
    return {
        "sheismo": round(palatals.share(windows), 4),
        "windows": len(windows),
        "flatness_db": _mean(flat_db),
        "f0_range_st": {name: _mean(values) for name, values in ranges.items()},
    }


def flatness_db(pcm: np.ndarray, start_s: float, end_s: float) -> float:
    """Spectral flatness of a stretch from 4 to 8 kHz, geometric over arithmetic mean of the power: 0 for one click. [T] at 22 050 Hz"""
    stretch = pcm[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)].astype(np.float64)
    frequency_hz = np.fft.rfftfreq(len(stretch), 1 / SAMPLE_RATE_HZ)
    inside = (frequency_hz >= FRICTION_HZ[0]) & (frequency_hz < FRICTION_HZ[1])
    power = np.abs(np.fft.rfft(stretch * np.hanning(len(stretch))))[inside] ** 2 + 1e-12
    return float(10 * (np.mean(np.log10(power)) - np.log10(np.mean(power))))


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
