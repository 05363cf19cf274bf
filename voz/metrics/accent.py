"""Rioplatense or not: whether a recording of a known text speaks ⟨ll, y⟩ as [ʃ] (*sheísmo*) or as [ʝ].

espeak-ng speaks the same text and reports when each of its phonemes begins. Dynamic time warping maps the times of its ⟨ll, y⟩
to the recording, and the spectrum there tells a voiceless fricative from a voiced palatal. The glides of *hielo*, *muy* and
*rey* do not count.

Validated by pocket/measure_accent.py on synthetic voices, whose accent is known, and on nothing else. In a recording that does not
speak its text (noise, babble) the windows are meaningless, and noise counts as [ʃ]: read the share together with the error rate.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.signal
from scipy.spatial.distance import cdist

from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import dtw, espeak, measures

YE_PHONES = ("J^", "dZ")  # espeak-ng's phonemes for ⟨ll, y⟩; the second one after a pause or a nasal (*un yate*)
GLIDE = "j"  # espeak-ng writes ⟨ll, y⟩ after i as two of these (*Guillermo*)
PAUSES = ("_:", "_", "_!", "_|")
LOW_HZ, HISS_HZ = (80.0, 900.0), (1_800.0, 6_000.0)  # voicing and first formant of [ʝ]; noise of [ʃ]
FRAME_S, HOP = 0.020, 110  # HOP in samples: 5 ms
SILENCE_DB = 40.0  # a frame this far below the loudest one is silent
LEAD_S = 0.1  # silence added before and after espeak-ng's speech, which the recording's own silence is aligned with
MARGIN_S = 0.010  # on both sides of a window: the alignment's hop is 11.6 ms
FIRST_MARGIN_S = 0.070  # before a window that follows a pause: the alignment may give its beginning to the pause
RANK = 75.0  # percentile over a window's frames: some of them may belong to a neighbouring phoneme
THRESHOLD_DB = 3.0  # between the medians of [ʝ], -10, and of [ʃ], 27, on the corpus's train voices (pocket/reports/accent.json)


@dataclass(frozen=True)
class Window:
    """One ⟨ll, y⟩ of a recording. hiss_db: noise over voicing, see the function `hiss_db`."""

    start_s: float
    end_s: float
    hiss_db: float

    @property
    def sheismo(self) -> bool:
        """True if it is spoken as [ʃ]."""
        return self.hiss_db > THRESHOLD_DB


def find_windows(text: str, pcm: np.ndarray) -> list[Window]:
    """Every ⟨ll, y⟩ of a text in the recording that speaks it; empty if the text has none or the recording is silent.

    Args:
        pcm: float32 at 22 050 Hz. [T]

    Raises:
        UserError: espeak-ng is not installed.
    """
    reference = espeak.say(text)
    spans = ye_spans(reference.phones)
    if not spans or not np.any(pcm):
        return []
    alignment = Alignment(wav.resample(reference.pcm, reference.rate_hz, SAMPLE_RATE_HZ), pcm)
    frames_db = hiss_db(pcm)
    return [_window(frames_db, alignment, span) for span in spans]


def share(windows: Sequence[Window]) -> float:
    """Share of windows spoken as [ʃ], 0 to 1; NaN if there is no window."""
    return float(np.mean([window.sheismo for window in windows])) if windows else math.nan


@dataclass(frozen=True)
class Span:
    """A ⟨ll, y⟩ in espeak-ng's speech. first: it follows a pause."""

    start_s: float
    end_s: float
    first: bool


def ye_spans(phones: Sequence[espeak.Phone]) -> list[Span]:
    """The ⟨ll, y⟩ among phonemes, in order."""
    spans = []
    for before, phone, after in zip([None, *phones], phones, [*phones[1:], None], strict=False):
        first = before is None or before.name in PAUSES
        if phone.name in YE_PHONES:
            spans.append(Span(phone.start_s, phone.end_s, first))
        elif after is not None and phone.name == after.name == GLIDE:
            spans.append(Span(phone.start_s, after.end_s, first))
    return spans


def hiss_db(pcm: np.ndarray) -> np.ndarray:
    """Power from 1.8 to 6 kHz over power from 80 to 900 Hz, in dB, every 5 ms; NaN in silence. [T] at 22 050 Hz -> [N]"""
    size = int(FRAME_S * SAMPLE_RATE_HZ)
    frequency_hz, _, spectrum = scipy.signal.stft(pcm, SAMPLE_RATE_HZ, nperseg=size, noverlap=size - HOP, padded=True)
    power = np.abs(spectrum) ** 2 + 1e-12
    low, hiss = (power[(frequency_hz >= band[0]) & (frequency_hz < band[1])].sum(axis=0) for band in (LOW_HZ, HISS_HZ))
    decibels = 10.0 * np.log10(hiss / low)
    return np.where(low + hiss > (low + hiss).max() * 10 ** (-SILENCE_DB / 10), decibels, np.nan)


def _window(frames_db: np.ndarray, alignment: "Alignment", span: Span) -> Window:
    """The window of a recording that a span is aligned with. frames_db: of `hiss_db`. [N]"""
    start_s, end_s = (alignment.time_s(edge_s) for edge_s in (span.start_s, span.end_s))
    first = round((start_s - (FIRST_MARGIN_S if span.first else MARGIN_S)) * SAMPLE_RATE_HZ / HOP)
    last = round((end_s + MARGIN_S) * SAMPLE_RATE_HZ / HOP)
    frames = frames_db[max(0, first) : max(0, first, last) + 1]
    audible = frames[np.isfinite(frames)]
    return Window(start_s, end_s, float(np.percentile(audible, RANK)) if len(audible) else -math.inf)


class Alignment:
    """Maps times of espeak-ng's speech to those of a recording of the same text.

    By dynamic time warping over mel cepstra, each less its mean over the speech, which removes most of what tells two voices and
    rooms apart.
    """

    def __init__(self, reference: np.ndarray, recording: np.ndarray) -> None:
        """float32 at 22 050 Hz. [R], [T]"""
        silence = np.zeros(int(LEAD_S * SAMPLE_RATE_HZ), np.float32)
        padded = np.concatenate([silence, reference, silence])
        self.path = dtw.align(cdist(_centred(padded), _centred(recording)))

    def time_s(self, reference_s: float) -> float:
        """The time in the recording that `reference_s` is aligned with: the mean over the frames that share its frame."""
        hop_s, middle_s = measures.HOP / SAMPLE_RATE_HZ, measures.FRAME / 2 / SAMPLE_RATE_HZ
        row = np.clip(round((reference_s + LEAD_S - middle_s) / hop_s), self.path.rows[0], self.path.rows[-1])
        return float(self.path.columns[self.path.rows == row].mean() * hop_s + middle_s)


def _centred(pcm: np.ndarray) -> np.ndarray:
    """Mel cepstra less their mean over the louder half of the frames. [T] -> [N, 13]"""
    cepstra = measures.cepstra(pcm)
    level = np.array([np.mean(np.square(pcm[at : at + measures.FRAME])) for at in range(0, len(cepstra) * measures.HOP, measures.HOP)])
    return np.asarray(cepstra - cepstra[level >= np.median(level)].mean(axis=0))
