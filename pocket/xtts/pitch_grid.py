"""Speech moved to the pitches that a decoder of one frame per code can hold: whole numbers of periods in every 46 ms.

With a constant input a convolutional decoder repeats its output frame by frame, so it can hold no other pitch; trained on others it
learns to smear. Its targets are therefore moved to that grid (21.5 Hz apart), pulse by pulse: TD-PSOLA (Moulines and Charpentier,
"Pitch-synchronous waveform processing techniques", 1990), formants and timing untouched.

Each pulse is made minimum-phase, as in vocoders (Morise et al. 2016, WORLD): its waveform then follows from its spectrum, which the
latents determine. The pulses of a recording do not follow from it: the peak that marks them moves with the vowel.

Nor does the noise of a recording: to a decoder trained on it silence is the nearest waveform, and it renders [s] and [ʃ] as trains of
clicks. So unvoiced sound is replaced by one frozen noise, the same in every code, filtered by the spectral envelope of what was there.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
from scipy import fft

from pocket.xtts import yin
from pocket.xtts.base import CODE_SAMPLES
from voz.metrics import measures

STEP = 128  # samples between unvoiced marks
STAY = 0.7  # of a grid step: the pitch moves on only when it is further away than this
NEAR, LENIENT = 1.6, 0.5  # factor around the voice's median pitch, against octave errors; YIN's threshold of aperiodicity
FFT = 2048
LIFTER = 0.6  # of a period: finer structure of a spectrum is its harmonics, not the formants
NOISE_LIFTER = 40  # samples: finer structure of a noise's spectrum is chance
LOG_BIAS = 0.2886  # nats: the mean of a noise's log amplitudes is low by half of Euler's constant
SEARCH = 0.2  # of a period: how far a pulse may be from where it is expected


def on_grid(pcm: np.ndarray, counts: Sequence[int | None]) -> list[np.ndarray]:
    """The same speech with every voiced code at a whole number of periods, which begin with the code. float32 [T] -> [T] each

    Args:
        counts: periods in every code, one recording for each, without melody; None for the number nearest to the recording's own pitch.
    """
    hz = _steady(_pitch_hz(pcm))
    centre = np.arange(len(hz)) * measures.HOP + measures.FRAME // 2
    spoken = _periods_per_code(hz, centre, len(pcm))
    pulses = _pulses(pcm, hz, centre)
    voiced = spoken > 0
    voiced[pulses // CODE_SAMPLES] = True
    if not voiced.any():
        return [pcm for _ in counts]
    wanted = [spoken if count is None else np.where(voiced, count, 0) for count in counts]
    return [_overlap_add(pcm, *_marks(periods, pulses, len(pcm))) for periods in wanted]


def _pitch_hz(pcm: np.ndarray) -> np.ndarray:
    """Pitch per frame, NaN where unvoiced: a strict pass finds the voice's median, a lenient one looks near it. The first misses half."""
    sure = yin.pitch_hz(pcm)
    if not np.isfinite(sure).any():
        return sure
    middle = float(np.nanmedian(sure))
    return yin.pitch_hz(pcm, span_hz=(middle / NEAR, middle * NEAR), aperiodicity=LENIENT)


def _steady(hz: np.ndarray) -> np.ndarray:
    """A median over three frames, which removes octave errors of one frame; NaN where unvoiced."""
    padded = np.pad(hz, 1, constant_values=np.nan)
    near = np.stack([padded[:-2], padded[1:-1], padded[2:]])
    voiced = np.isfinite(near).sum(axis=0) >= 2
    middle = np.full(len(hz), np.nan)
    middle[voiced] = np.nanmedian(near[:, voiced], axis=0)
    return middle


def _periods_per_code(hz: np.ndarray, centre: np.ndarray, samples: int) -> np.ndarray:
    """Whole periods in each code, 0 where it is mostly unvoiced. [ceil(samples / CODE_SAMPLES)]"""
    found = np.zeros(-(-samples // CODE_SAMPLES), int)
    for code in range(len(found)):
        inside = hz[(centre >= code * CODE_SAMPLES - CODE_SAMPLES // 4) & (centre < (code + 1) * CODE_SAMPLES + CODE_SAMPLES // 4)]
        voiced = inside[np.isfinite(inside)]
        if 2 * len(voiced) <= len(inside):
            continue
        wanted = float(np.median(voiced)) * CODE_SAMPLES / measures.SAMPLE_RATE_HZ
        before = found[code - 1] if code else 0
        found[code] = before if before and abs(wanted - before) < STAY else max(1, round(wanted))
    return found


def _pulses(pcm: np.ndarray, hz: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Places of the pulses in voiced stretches, in samples, ascending."""
    side = 1.0 if pcm.max() >= -pcm.min() else -1.0
    found: list[int] = []
    at = 0
    while at < len(hz):
        if not np.isfinite(hz[at]):
            at += 1
            continue
        end = at
        while end < len(hz) and np.isfinite(hz[end]):
            end += 1
        found += _pulses_of(side * pcm, hz[at:end], centre[at:end])
        at = end
    return np.unique(np.array(found, int))


def _pulses_of(pcm: np.ndarray, hz: np.ndarray, centre: np.ndarray) -> list[int]:
    """Pulses of one voiced stretch: from its greatest peak a period at a time in both directions, each at the peak nearby."""
    first, last = max(0, int(centre[0]) - CODE_SAMPLES // 4), min(len(pcm), int(centre[-1]) + CODE_SAMPLES // 4)
    top = first + int(np.argmax(pcm[first:last]))
    found = [top]
    for direction in (-1, 1):
        at = top
        while True:
            period = measures.SAMPLE_RATE_HZ / float(np.interp(at, centre, hz))
            expected, reach = at + direction * period, SEARCH * period
            low, high = round(expected - reach), round(expected + reach) + 1
            if low < first or high > last:
                break
            at = low + int(np.argmax(pcm[low:high]))
            found.append(at)
    return found


def _marks(periods: np.ndarray, pulses: np.ndarray, samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """New places of the grains and their places in the recording, in samples, and which are pulses: those move to the grid, others stay."""
    wanted: list[int] = []
    source: list[int] = []
    voiced: list[bool] = []
    for code, count in enumerate(periods):
        marks = count or CODE_SAMPLES // STEP
        spots = code * CODE_SAMPLES + np.round(np.arange(marks) * CODE_SAMPLES / marks).astype(int)
        near = _nearest(pulses, spots)
        sounding = (count > 0) & (np.abs(near - spots) <= CODE_SAMPLES / marks)
        wanted += spots.tolist()
        source += np.where(sounding, near, spots).tolist()
        voiced += sounding.tolist()
    return np.array(wanted), np.array(source), np.array(voiced)


def _nearest(pulses: np.ndarray, spots: np.ndarray) -> np.ndarray:
    """The pulse nearest to each spot."""
    edges = np.concatenate([[-(10**9)], pulses, [10**9]])
    after = np.searchsorted(edges, spots)
    return np.where(spots - edges[after - 1] < edges[after] - spots, edges[after - 1], edges[after])


def _overlap_add(pcm: np.ndarray, wanted: np.ndarray, source: np.ndarray, voiced: np.ndarray) -> np.ndarray:
    """Sum of the grains, under windows from the mark before to the next that sum to one; pulses begin at their mark."""
    pad = 2 * CODE_SAMPLES
    padded = np.pad(pcm, pad)
    made = np.zeros(len(pcm) + 2 * pad, np.float32)
    edges = np.concatenate([[wanted[0] - STEP], wanted, [wanted[-1] + STEP]])
    left, right = wanted - edges[:-2], edges[2:] - wanted
    windows, grains = np.zeros((2, len(wanted), FFT), np.float32)
    for window, grain, before, after, at in zip(windows, grains, left, right, source + pad, strict=True):
        window[: before + after] = np.concatenate([_rise(before), 1 - _rise(after)])
        grain[: before + after] = padded[at - before : at + after] * window[: before + after]
    begin = wanted - left * ~voiced
    kept = np.minimum(FFT // 2, np.round(LIFTER * ((left + right) // 2)))
    for grain, at in zip(_resynthesized(grains, windows, begin, np.where(voiced, kept, 0)), begin + pad, strict=True):
        made[at : at + CODE_SAMPLES] += grain
    return made[pad : pad + len(pcm)]


def _resynthesized(grains: np.ndarray, windows: np.ndarray, begin: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """A minimum-phase pulse with each grain's spectral envelope, or the frozen noise at `begin` filtered by it.

    Args:
        grains, windows: [N, FFT]
        kept: samples kept of a pulse's cepstrum, 0 for noise. [N]

    Returns float32 [N, CODE_SAMPLES].
    """
    hiss = kept == 0
    spectra = _envelopes(grains, np.where(hiss, NOISE_LIFTER, kept))
    noise = _noise()[(begin[hiss, None] + np.arange(FFT)) % CODE_SAMPLES] * windows[hiss]
    gain = np.exp(LOG_BIAS) / np.sqrt((windows[hiss] ** 2).sum(axis=1, keepdims=True))
    spectra[hiss] *= fft.rfft(noise) * gain
    return fft.irfft(spectra)[:, :CODE_SAMPLES].astype(np.float32)


def _envelopes(grains: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Minimum-phase spectra with smoothed amplitudes: `kept` samples of each cepstrum. [N, FFT], [N] -> complex [N, FFT // 2 + 1]"""
    cepstra = fft.irfft(np.log(np.abs(fft.rfft(grains)) + 1e-5))
    place = np.arange(FFT)
    cepstra *= np.where(place == 0, 1, 2 * (place < kept[:, None]))  # the fine structure is dropped, the rest folded onto the causal side
    return np.exp(fft.rfft(cepstra))


@cache
def _noise() -> np.ndarray:
    """A code's worth of white noise of unit variance. [CODE_SAMPLES]"""
    return np.random.default_rng(1).standard_normal(CODE_SAMPLES).astype(np.float32)


@cache
def _rise(length: int) -> np.ndarray:
    """Half of a Hann window."""
    return (0.5 - 0.5 * np.cos(np.pi * np.arange(length) / length)).astype(np.float32)
