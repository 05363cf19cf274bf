"""The figures of a line, from one alignment. A figure is left out where the text has no such sound."""

import numpy as np

from voz.metrics.accent import alignment, palatals, rhythm, sibilants
from voz.metrics.accent.spectrum import Spectrum

SHARES = ("sheismo", "zheismo", "s_coda", "s_final")  # from 0 to 1
RHYTHM = ("vowel_share", "varco", "npvi", "last_vowel")  # see rhythm.Rhythm
NAMES = SHARES + RHYTHM


def measure(text: str, pcm: np.ndarray) -> dict[str, float]:
    """The figures that the text has the sounds for, by NAMES.

    Args:
        pcm: float32 at 22 050 Hz. [T]

    Raises:
        UserError: espeak-ng is not installed.
    """
    sounds = alignment.align(text, pcm).sounds
    if not sounds:
        return {}
    spectrum = Spectrum(pcm)
    windows = palatals.windows(sounds, spectrum)
    kept = sibilants.measure(sounds, spectrum) or sibilants.Sibilants([], [])
    found = (
        [window.sheismo for window in windows],
        [window.zheismo for window in windows if window.voicing_db is not None],
        kept.coda,
        kept.final,
    )
    figures = {name: float(np.mean(each)) for name, each in zip(SHARES, found, strict=True) if each}
    timing = rhythm.measure(sounds)
    return figures if timing is None else figures | {name: getattr(timing, name) for name in RHYTHM}
