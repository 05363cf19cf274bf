"""How a recording speaks ⟨ll, y⟩: as [ʃ] (*sheísmo*), as [ʒ] (*zheísmo*) or as [ʝ]. The glides of *hielo*, *muy* and *rey* do not count.

The spectrum tells a fricative from a palatal glide, and its power below 400 Hz, less that of the line's own /s/, a voiced
fricative from a voiceless one. In a recording that does not speak its text (noise, babble) the windows are meaningless, and noise
counts as [ʃ]: read the shares together with the error rate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from voz.metrics.accent import alignment, sibilants
from voz.metrics.accent.alignment import Sound
from voz.metrics.accent.spectrum import Spectrum

YE_PHONES = ("J^", "dZ")  # espeak-ng's phonemes for ⟨ll, y⟩; the second one after a pause or a nasal (*un yate*)
GLIDE = "j"  # espeak-ng writes ⟨ll, y⟩ after i as two of these (*Guillermo*)
HISS_HZ, HUM_HZ = (1_800.0, 6_000.0), (80.0, 900.0)  # noise of [ʃ]; voicing and first formant of [ʝ]
FRICTION_HZ, FORMANT_HZ = (3_500.0, 7_500.0), (200.0, 1_200.0)  # [ʒ] has voicing too: what tells it from [ʝ] lies above and between
VOICE_HZ = (80.0, 400.0)
MARGIN_S = 0.010  # on both sides of a window
FIRST_MARGIN_S = 0.070  # before a window that follows a pause: the alignment may give its beginning to the pause
RANK = 75.0  # percentile over a window's frames: some of them may belong to a neighbouring phoneme
THRESHOLD_DB = 3.0  # hiss: between the medians of [ʝ], -11, and of [ʃ], 23; of [ʒ] one in six is over it
FRICTION_DB = -10.0  # between [ʝ], median -18, and [ʒ], -2
VOICED_DB = 5.0  # over /s/: between [ʃ], 95 % below 1, and [ʒ], 95 % above 8


@dataclass(frozen=True)
class Window:
    """One ⟨ll, y⟩ of a recording.

    hiss_db: noise over voicing, 1.8-6 kHz over 80-900 Hz.
    friction_db: 3.5-7.5 kHz over 200-1200 Hz.
    voicing_db: power below 400 Hz where the friction is strongest, less that in the line's /s/ before vowels; None if it has no such /s/.
    """

    start_s: float
    end_s: float
    hiss_db: float
    friction_db: float
    voicing_db: float | None

    @property
    def sheismo(self) -> bool:
        """True if it is spoken as [ʃ]."""
        return self.hiss_db > THRESHOLD_DB and not self.zheismo

    @property
    def zheismo(self) -> bool:
        """True if it is spoken as [ʒ]; False too where the voicing is not known."""
        return self.friction_db > FRICTION_DB and self.voicing_db is not None and self.voicing_db > VOICED_DB


@dataclass(frozen=True)
class Span:
    """Where a ⟨ll, y⟩ is spoken. first: it follows a pause."""

    start_s: float
    end_s: float
    first: bool


def find_windows(text: str, pcm: np.ndarray) -> list[Window]:
    """Every ⟨ll, y⟩ of a text in the recording that speaks it; empty if the text has none or the recording is silent.

    Args:
        pcm: float32 at 22 050 Hz. [T]

    Raises:
        UserError: espeak-ng is not installed.
    """
    sounds = alignment.align(text, pcm).sounds
    return windows(sounds, Spectrum(pcm)) if ye_spans(sounds) else []


def windows(sounds: Sequence[Sound], spectrum: Spectrum) -> list[Window]:
    """Every ⟨ll, y⟩ of a recording, in order."""
    hiss_db, friction_db = spectrum.ratio_db(HISS_HZ, HUM_HZ), spectrum.ratio_db(FRICTION_HZ, FORMANT_HZ)
    voice_db = spectrum.band_db(VOICE_HZ)
    voiceless_db = [float(np.median(voice_db[spectrum.frames(each.start_s, each.end_s)])) for each in sibilants.onset(sounds)]
    found = []
    for span in ye_spans(sounds):
        inside = spectrum.frames(span.start_s - (FIRST_MARGIN_S if span.first else MARGIN_S), span.end_s + MARGIN_S)
        audible = spectrum.audible[inside]
        hiss, friction, voice = (of[inside][audible] for of in (hiss_db, friction_db, voice_db))
        strongest = np.argsort(-friction)[: max(3, len(friction) // 3)]
        voicing_db = float(np.median(voice[strongest]) - np.median(voiceless_db)) if voiceless_db and len(voice) else None
        found.append(Window(span.start_s, span.end_s, _peak(hiss), _peak(friction), voicing_db))
    return found


def share(found: Sequence[Window]) -> float:
    """Share of windows spoken as [ʃ], 0 to 1; NaN if there is no window."""
    return float(np.mean([window.sheismo for window in found])) if found else math.nan


def ye_spans(sounds: Sequence[Sound]) -> list[Span]:
    """The ⟨ll, y⟩ among sounds, in order."""
    spans = []
    for before, sound, after in zip([None, *sounds], sounds, [*sounds[1:], None], strict=False):
        first = before is None or alignment.is_pause(before)
        if sound.name in YE_PHONES:
            spans.append(Span(sound.start_s, sound.end_s, first))
        elif after is not None and sound.name == after.name == GLIDE:
            spans.append(Span(sound.start_s, after.end_s, first))
    return spans


def _peak(frames_db: np.ndarray) -> float:
    return float(np.percentile(frames_db, RANK)) if len(frames_db) else -math.inf
