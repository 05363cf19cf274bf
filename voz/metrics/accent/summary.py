"""The figures of a line, from one alignment. A figure is left out where the text has no such sound."""

from collections.abc import Sequence

import numpy as np

from voz.metrics.accent import alignment, melody, palatals, rhythm, sibilants
from voz.metrics.accent.spectrum import Spectrum

SHARES = ("sheismo", "zheismo", "s_coda", "s_final")  # from 0 to 1
RHYTHM = ("vowel_share", "varco", "last_vowel")  # see rhythm.Rhythm
MELODY = ("final_slope", "questions_rise", "early_peaks")  # means of melody.Melody's lists: in semitones per second, two shares
NAMES = SHARES + RHYTHM + MELODY


def measure(text: str, pcm: np.ndarray, hz: np.ndarray) -> dict[str, float]:
    """The figures that the text has the sounds for, by NAMES.

    Args:
        pcm: float32 at 22 050 Hz. [T]
        hz: its pitch, see `pitch.track`. [N]

    Raises:
        UserError: espeak-ng is not installed.
    """
    aligned = alignment.align(text, pcm)
    sounds = aligned.sounds
    if not sounds:
        return {}
    spectrum = Spectrum(pcm)
    windows = palatals.windows(sounds, spectrum)
    kept = sibilants.measure(sounds, spectrum) or sibilants.Sibilants([], [])
    sung = melody.measure(text, aligned, melody.curve(hz))
    found: tuple[Sequence[float], ...] = (
        [window.sheismo for window in windows],
        [window.zheismo for window in windows if window.voicing_db is not None],
        kept.coda,
        kept.final,
        sung.final_slopes,
        sung.questions_rise,
        sung.early_peaks,
    )
    figures = {name: float(np.mean(each)) for name, each in zip(SHARES + MELODY, found, strict=True) if each}
    timing = rhythm.measure(sounds)
    return figures if timing is None else figures | {name: getattr(timing, name) for name in RHYTHM}
