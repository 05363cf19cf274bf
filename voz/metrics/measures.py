"""Objective measures of a spoken line: character error rate, speaker similarity, mel-cepstral distortion, fundamental frequency.

All audio is float32 in [-1, 1] at 22 050 Hz.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import jiwer
import numpy as np
import scipy.fft
from scipy.spatial.distance import cdist

import voz.compat  # noqa: F401 - repairs the import of torchaudio, which therefore comes after it
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import dtw
from voz.text import normalize

import torchaudio  # isort: skip

FRAME = 1024  # 46 ms
HOP = 256  # 11.6 ms
SILENCE_DB = 40.0  # a frame this far below the loudest one is silent
MELS = 80
MEL_MAX_HZ = 8000.0  # as far up as XTTS's own mel spectrograms reach
CEPSTRA = 13  # c1..c13; c0 is the level


@dataclass(frozen=True)
class F0:
    """Fundamental frequency over the voiced frames. Range: 5th to 95th percentile. Semitones (st) are relative to 100 Hz."""

    mean_hz: float
    range_hz: float
    mean_st: float
    range_st: float


def cer(text: str, transcript: str) -> float:
    """Character error rate of a transcript, both in lower case and without punctuation; above 1 where it is much longer than the text."""
    reference, hypothesis = normalize.spoken(text), normalize.spoken(transcript)
    if not reference:
        return 0.0 if not hypothesis else 1.0  # jiwer divides by the reference's length
    return float(jiwer.cer(reference, hypothesis))


def capped_cer(text: str, transcript: str) -> float:
    """`cer`, at most 1, so that one endless line does not decide a mean."""
    return min(1.0, cer(text, transcript))


def similarity(embedding: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Mean cosine of a speaker embedding with others, -1 to 1. [D], [D] each, of one encoder and of unit length"""
    return float(np.mean([float(embedding @ other) for other in others]))


def mcd_db(pcm: np.ndarray, reference: np.ndarray) -> float:
    """Mel-cepstral distortion along the alignment of least cost, in dB; 0 = same spectra. [T], [R]

    (10 / ln 10) * sqrt(2 * sum over d = 1..13 of (c_d - r_d)^2), averaged over the path of dynamic time warping
    (Kubichek, "Mel-cepstral distance measure for objective speech quality assessment", 1993). The cepstra are the cosine
    transform of the log mel spectrum, scaled as in ln|X| = c_0 + sum of c_d cos(...), so the value is the RMS distance of
    the smoothed log spectra in dB. Silence at both ends is cut first. Other implementations give other values.
    """
    return distortion_db(cepstra(without_ends(pcm)), cepstra(without_ends(reference)))


def distortion_db(one: np.ndarray, other: np.ndarray) -> float:
    """Mel-cepstral distortion of two series of cepstra, see `mcd_db`. [N, 13], [M, 13]"""
    return 10.0 / math.log(10.0) * math.sqrt(2.0) * dtw.align(cdist(one, other)).mean_cost


def cepstra(pcm: np.ndarray) -> np.ndarray:
    """Mel cepstra c_1..c_13, one row per frame. [T] -> [N, 13]"""
    spectrum = np.abs(np.fft.rfft(frames(pcm, FRAME) * np.hanning(FRAME), axis=1))
    return cosines(np.log(np.maximum(spectrum @ _mel_filters(), 1e-5)))


def cosines(log_mel: np.ndarray) -> np.ndarray:
    """c_1..c_13 of log mel spectra, as in log_mel = c_0 + sum of c_d cos(pi d x), x from 0 to 1 over the bands. [N, MELS] -> [N, 13]"""
    scaled: np.ndarray = scipy.fft.dct(log_mel, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1] * math.sqrt(2.0 / MELS)
    return scaled


def f0(hz: np.ndarray) -> F0 | None:
    """Mean and range of the pitch that `pitch.track` has found; None if no frame is voiced. [N]"""
    hz = hz[np.isfinite(hz)]
    if not len(hz):
        return None
    low, high = np.percentile(hz, [5, 95])
    return F0(
        mean_hz=float(hz.mean()),
        range_hz=float(high - low),
        mean_st=float(np.mean(12.0 * np.log2(hz / 100.0))),
        range_st=float(12.0 * math.log2(high / low)),
    )


def without_ends(pcm: np.ndarray) -> np.ndarray:
    """Cut silence from both ends. [T] -> [T']"""
    heard = np.flatnonzero(loud(frames(pcm, FRAME)))
    return pcm[heard[0] * HOP : heard[-1] * HOP + FRAME] if len(heard) else pcm


def frames(pcm: np.ndarray, length: int) -> np.ndarray:
    """Overlapping frames, one every HOP samples; a signal shorter than a frame is padded to one. [T] -> [N, length]"""
    padded = np.pad(pcm.astype(np.float64), (0, max(0, length - len(pcm))))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[::HOP]


def loud(of: np.ndarray) -> np.ndarray:
    """Which frames are within SILENCE_DB of the loudest. [N, L] -> [N] bool"""
    power = np.mean(np.square(of), axis=1)
    return (power > 0) & (power >= power.max() * 10 ** (-SILENCE_DB / 10))


@cache
def _mel_filters() -> np.ndarray:
    """Mel filters of unit area (Slaney). [FRAME / 2 + 1, MELS]"""
    fbanks = torchaudio.functional.melscale_fbanks
    return np.asarray(fbanks(FRAME // 2 + 1, 0.0, MEL_MAX_HZ, MELS, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney").numpy())
