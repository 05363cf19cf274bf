"""Two pitch trackers on speech whose pitch is known: YIN (pocket/xtts/yin.py) and swift-f0 (voz/metrics/pitch.py).

    python -m benchmarks.bench_pitch

Needs espeak-ng. Prints a table for benchmarks/README.md. It measures accuracy, not time.

The speech: six sentences by four voices of espeak-ng without intonation, so that its fundamental is constant but for a flutter of
1 %. It is then played faster and slower along a smooth curve, which gives it a melody of +-4 semitones that is known at every moment.
Tones: harmonics of a gliding and trembling fundamental. A frame counts as voiced where the clean, flat speech repeats itself after
the known period, as unvoiced where it does not or is silent; frames in between are not judged.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from pocket.corpus import opus
from pocket.xtts import yin
from voz.audio import wav
from voz.metrics import espeak, measures, pitch
from voz.pipeline import command

VOICES = (("es-419", 30), ("es-419", 60), ("es-419+f2", 50), ("es-419+f4", 80))  # espeak-ng's voice and its pitch, 0-99
SENTENCES = (
    "La lluvia llena la calle y nadie va a llorar en la mañana.",
    "¿Vos sabés a qué hora llega el colectivo de la noche?",
    "Mirá, yo ya te dije que la llave está arriba de la mesa.",
    "Nos vemos el jueves en lo de Guillermo, llevá algo para tomar.",
    "Ayer llamé al médico y me dijo que vuelva la semana que viene.",
    "Che, avisame cuando llegues, así bajo a abrirte la puerta.",
)
MELODY_ST, MELODY_S = 4.0, 1.7  # amplitude and period of the curve
FRAME_S = 0.040  # of the measure of periodicity
VOICED, UNVOICED, SILENT_DB = 0.85, 0.4, 35.0
GROSS = 0.2  # relative error that counts as gross
SLOWEST_HZ, FASTEST_HZ = 60.0, 400.0
RATE_HZ = wav.SAMPLE_RATE_HZ


@dataclass(frozen=True)
class Truth:
    """A signal at 22 050 Hz [T]; its fundamental in Hz, and whether it is voiced (1), unvoiced (0) or neither (-1), over time in s."""

    pcm: np.ndarray
    hz_at: Callable[[np.ndarray], np.ndarray]
    voiced_at: Callable[[np.ndarray], np.ndarray]


def flat_speech(text: str, voice: str, height: int) -> np.ndarray:
    """A sentence on one note, at 22 050 Hz. [T]"""
    spoken = espeak.say(text, espeak.Speaker(voice, pitch=height, pitch_range=0))
    return wav.resample(spoken.pcm, spoken.rate_hz, RATE_HZ)


def periodicity(pcm: np.ndarray, lags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlation of each 10 ms with itself after each lag, and the level of each. [T], [L] in samples -> [N, L], [N] in dB"""
    size, hop = int(FRAME_S * RATE_HZ), RATE_HZ // 100
    frames = np.lib.stride_tricks.sliding_window_view(pcm.astype(np.float64), size + int(lags.max()))[::hop]
    now = frames[:, :size]
    found = np.empty((len(frames), len(lags)))
    for column, lag in enumerate(lags):
        later = frames[:, lag : lag + size]
        found[:, column] = (now * later).sum(axis=1) / np.sqrt((now**2).sum(axis=1) * (later**2).sum(axis=1) + 1e-9)
    return found, 10 * np.log10((now**2).mean(axis=1) + 1e-12)


def note_of(pcm: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The fundamental of flat speech in Hz; the times of its frames in s and whether each is voiced (1), unvoiced (0) or neither (-1)."""
    lags = np.arange(int(RATE_HZ / FASTEST_HZ), int(RATE_HZ / SLOWEST_HZ))
    found, level = periodicity(pcm, lags)
    loud = level > level.max() - SILENT_DB
    overall = found[loud].mean(axis=0)
    peaks = [i for i in range(1, len(lags) - 1) if overall[i] >= max(overall[i - 1], overall[i + 1], 0.95 * overall.max())]
    at = peaks[0]  # the shortest period of nearly the best: twice the period repeats itself as well
    left, middle, right = overall[at - 1 : at + 2]
    period = lags[at] + 0.5 * (left - right) / (left - 2 * middle + right)
    best = found[:, at - 1 : at + 2].max(axis=1)
    voiced = np.where(loud & (best > VOICED), 1, np.where(~loud | (best < UNVOICED), 0, -1))
    return RATE_HZ / period, np.arange(len(voiced)) * 0.01 + FRAME_S / 2, voiced


def with_melody(pcm: np.ndarray) -> Truth:
    """Flat speech played along a curve: at the time t it is where flat speech is at place(t), and as much higher as place rises."""
    hz, times_s, voiced = note_of(pcm)
    steps = np.arange(int(1.3 * len(pcm))) / RATE_HZ
    speed = 2 ** (MELODY_ST / 12 * np.sin(2 * np.pi * steps / MELODY_S))
    place_s = np.cumsum(speed) / RATE_HZ
    inside = place_s < (len(pcm) - 1) / RATE_HZ
    played = CubicSpline(np.arange(len(pcm)) / RATE_HZ, pcm)(place_s[inside]).astype(np.float32)

    def hz_at(at_s: np.ndarray) -> np.ndarray:
        return hz * np.interp(at_s, steps, speed)

    def voiced_at(at_s: np.ndarray) -> np.ndarray:
        near = np.clip(np.round((np.interp(at_s, steps, place_s) - times_s[0]) / 0.01).astype(int), 0, len(voiced) - 1)
        return voiced[near]

    return Truth(played, hz_at, voiced_at)


def tones() -> Iterator[Truth]:
    """Harmonics of fundamentals that glide and tremble, with a weak and with a strong first harmonic."""
    seconds = np.arange(4 * RATE_HZ) / RATE_HZ
    for middle_hz in (80.0, 120.0, 200.0, 300.0):
        for first in (0.05, 1.0):
            curve = middle_hz * 2 ** ((5 * np.sin(2 * np.pi * seconds / 3) + 0.5 * np.sin(2 * np.pi * 5.5 * seconds)) / 12)
            phase = 2 * np.pi * np.cumsum(curve) / RATE_HZ
            levels = [first, *(0.8**k for k in range(1, 12))]
            pcm = sum(level * np.sin(k * phase) * (k * curve < 7000) for k, level in enumerate(levels, start=1))

            def hz_at(at_s: np.ndarray, curve: np.ndarray = curve) -> np.ndarray:
                return np.interp(at_s, seconds, curve)

            yield Truth((0.05 * pcm).astype(np.float32), hz_at, lambda at_s: np.ones(len(at_s), int))


def spoken() -> Iterator[Truth]:
    """The sentences by the voices."""
    for voice, height in VOICES:
        for text in SENTENCES:
            yield with_melody(flat_speech(text, voice, height))


def noisy(pcm: np.ndarray, snr_db: float) -> np.ndarray:
    """White noise below the RMS of the signal. [T] -> [T]"""
    noise = np.random.default_rng(1).standard_normal(len(pcm))
    return (pcm + noise * np.sqrt(np.mean(pcm**2)) * 10 ** (-snr_db / 20)).astype(np.float32)


def coded(pcm: np.ndarray, bitrate_bps: int) -> np.ndarray:
    """Through Opus at 16 kHz. [T] -> [T']"""
    narrow = np.ascontiguousarray(wav.resample(pcm, RATE_HZ, opus.SAMPLE_RATE_HZ), np.float32)
    return wav.resample(opus.roundtrip(narrow, bitrate_bps=bitrate_bps), opus.SAMPLE_RATE_HZ, RATE_HZ)


CONDITIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "clean": lambda pcm: pcm,
    "Opus, 16 kb/s": lambda pcm: coded(pcm, 16_000),
    "white noise, 20 dB": lambda pcm: noisy(pcm, 20),
    "white noise, 10 dB": lambda pcm: noisy(pcm, 10),
    "noise 20 dB, then Opus": lambda pcm: coded(noisy(pcm, 20), 16_000),
}


def by_yin(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times in s and Hz, NaN where unvoiced."""
    hz = yin.pitch_hz(pcm)
    return (np.arange(len(hz)) * measures.HOP + measures.FRAME / 2) / RATE_HZ, hz


def by_swift(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Times in s and Hz, NaN where unvoiced."""
    hz = pitch.track(pcm)
    return np.arange(len(hz)) * pitch.HOP_S, hz


def scores(truth: Truth, track: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Shares of frames, and the errors of the figures that the pipeline reports, in semitones."""
    times_s, hz = track
    inside = times_s < len(truth.pcm) / RATE_HZ
    times_s, hz = times_s[inside], hz[inside]
    true_hz, voiced, found = truth.hz_at(times_s), truth.voiced_at(times_s), np.isfinite(hz)
    both = (voiced == 1) & found
    off_st = 12 * np.log2(hz[both] / true_hz[both])
    own, right = 12 * np.log2(hz[found]), 12 * np.log2(true_hz[voiced == 1])
    ranges = [float(np.diff(np.percentile(each, [5, 95]))[0]) if len(each) else float("nan") for each in (own, right)]
    silent = found[voiced == 0]
    return {
        "gross": float(np.mean(np.abs(off_st) > 12 * np.log2(1 + GROSS))) if len(off_st) else float("nan"),
        "fine_st": float(np.median(np.abs(off_st))) if len(off_st) else float("nan"),
        "found": float(np.mean(found[voiced == 1])),
        "false": float(np.mean(silent)) if len(silent) else float("nan"),
        "mean_st": abs(float(own.mean() - right.mean())) if len(own) else float("nan"),
        "range_st": abs(ranges[0] - ranges[1]),
    }


def main() -> None:
    """Print the table."""
    print("| | tracker | gross errors | median error, st | voiced found | false voiced | error of the mean, st | error of the range, st |")
    print("|---|---|---|---|---|---|---|---|")
    for kind, truths in (("tones", list(tones())), ("speech", list(spoken()))):
        for condition, through in CONDITIONS.items():
            heard = [through(truth.pcm) for truth in truths]
            for name, tracker in (("YIN", by_yin), ("swift-f0", by_swift)):
                found = [scores(truth, tracker(pcm)) for truth, pcm in zip(truths, heard, strict=True)]
                mean = {
                    key: float(np.nanmean([each[key] for each in found])) for key in ("gross", "fine_st", "found", "mean_st", "range_st")
                }
                worst, silent = np.nanmax([each["range_st"] for each in found]), [each["false"] for each in found]
                false = "–" if np.isnan(silent).all() else f"{np.nanmean(silent):.1%}"  # a tone has no unvoiced frame
                print(
                    f"| {kind}, {condition} | {name} | {mean['gross']:.1%} | {mean['fine_st']:.2f} | {mean['found']:.1%} | {false} "
                    f"| {mean['mean_st']:.2f} | {mean['range_st']:.2f} (worst {worst:.1f}) |"
                )


if __name__ == "__main__":
    command.run(main)
