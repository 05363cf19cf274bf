"""The figures of a line, from one alignment. A figure is left out where the text has no such sound."""

import numpy as np

from voz.metrics.accent import alignment, palatals, sibilants
from voz.metrics.accent.spectrum import Spectrum

NAMES = ("sheismo", "zheismo", "s_coda", "s_final")  # shares, from 0 to 1


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
    shares = {
        "sheismo": [window.sheismo for window in windows],
        "zheismo": [window.zheismo for window in windows if window.voicing_db is not None],
        "s_coda": kept.coda,
        "s_final": kept.final,
    }
    return {name: float(np.mean(found)) for name, found in shares.items() if found}
