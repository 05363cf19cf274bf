"""What pocket/evaluate_voices.py measures of lines that a voice speaks, besides likeness: words, sheísmo, friction, melody."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

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
        flatness_db: of [s] before vowels and of [ʃ], 4 to 8 kHz, mean: -2.5 for white noise, 0 for one click, much less for clicks at a
            steady rate. A real speaker, at 16 kHz through Opus, has -7.9 (24 clips): read it beside that of recordings of the same band.
        friction_kurtosis: of the same, median: 3 for noise, tens for clicks at any rate. espeak-ng's recordings have 4, a real
            speaker's [s] 3.7 (16 of them, of the notes of benchmarks/bench_real.py).
        f0_range_st: range of the pitch, 5th to 95th percentile in semitones, mean over statements and over questions.
    """
    windows: list[palatals.Window] = []
    flat_db: list[float] = []
    peaked: list[float] = []
    ranges: dict[str, list[float]] = {"statements": [], "questions": []}
    for text, pcm in zip(texts, pcms, strict=True):
        spoken = alignment.align(text, pcm).sounds
        found = palatals.windows(spoken, Spectrum(pcm)) if palatals.ye_spans(spoken) else []
        windows += found
        places = [(each.start_s, each.end_s) for each in [*sibilants.onset(spoken), *(each for each in found if each.sheismo)]]
        places = [place for place in places if place[1] - place[0] >= SHORTEST_S]
        flat_db += [flatness_db(pcm, *place) for place in places]
        peaked += [kurtosis(pcm, *place) for place in places]
        if (f0 := measures.f0(pitch.track(pcm))) is not None:
            ranges["questions" if text.rstrip().endswith("?") else "statements"].append(f0.range_st)
    return {
        "sheismo": round(palatals.share(windows), 4),
        "windows": len(windows),
        "flatness_db": _mean(flat_db),
        "friction_kurtosis": round(float(np.median(peaked)), 1) if peaked else None,
        "f0_range_st": {name: _mean(values) for name, values in ranges.items()},
    }


def flatness_db(pcm: np.ndarray, start_s: float, end_s: float) -> float:
    """Spectral flatness of a stretch from 4 to 8 kHz, geometric over arithmetic mean of the power: 0 for one click. [T] at 22 050 Hz"""
    spectrum, inside = _spectrum(pcm, start_s, end_s)
    power = np.abs(spectrum[inside]) ** 2 + 1e-12
    return float(10 * (np.mean(np.log10(power)) - np.log10(np.mean(power))))


def kurtosis(pcm: np.ndarray, start_s: float, end_s: float) -> float:
    """Fourth moment of a stretch's sound from 4 to 8 kHz over its squared second: 3 for noise, tens for clicks. [T] at 22 050 Hz"""
    spectrum, inside = _spectrum(pcm, start_s, end_s)
    sound = np.fft.irfft(spectrum * inside)
    return float(stats.kurtosis(sound[len(sound) // 4 : -len(sound) // 4], fisher=False))  # the window leaves no sound at its ends


def _spectrum(pcm: np.ndarray, start_s: float, end_s: float) -> tuple[np.ndarray, np.ndarray]:
    """Spectrum of a stretch under a Hann window, and which of its bins are between 4 and 8 kHz."""
    stretch = pcm[round(start_s * SAMPLE_RATE_HZ) : round(end_s * SAMPLE_RATE_HZ)].astype(np.float64)
    frequency_hz = np.fft.rfftfreq(len(stretch), 1 / SAMPLE_RATE_HZ)
    return np.fft.rfft(stretch * np.hanning(len(stretch))), (frequency_hz >= FRICTION_HZ[0]) & (frequency_hz < FRICTION_HZ[1])


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
