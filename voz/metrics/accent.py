"""Rioplatense or not: how a voice speaks ⟨ll, y⟩, [ʃ] (*sheísmo*) or [ʝ], in utterances whose text is known.

espeak-ng says the same text and knows when its own ⟨ll, y⟩ come; dynamic time warping carries those times over to the
utterance; the spectrum there tells a voiceless fricative from a voiced palatal. *hielo*, *muy*, *rey* hold no such window.

Measured by pocket/measure_accent.py on synthetic voices, where the truth is known; proven on nothing else. What does not say its
text (noise, babble) gives windows that mean nothing, and noise hisses: read the share beside the error rate of the same lines.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import scipy.signal
from scipy.spatial.distance import cdist

from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak, measures

YE_PHONES = ("J^", "dZ")  # espeak-ng's ⟨ll, y⟩; the second after a pause or a nasal (*un yate*)
GLIDE = "j"  # twice in a row: ⟨ll, y⟩ after i (*Guillermo*)
LOW_HZ, HISS_HZ = (80.0, 900.0), (1_800.0, 6_000.0)  # voicing and first formant of [ʝ]; noise of [ʃ]
LEAD_S = 0.1  # silence around the reference, for the utterance's own to be matched with
FRAME_S, HOP = 0.020, 110  # HOP in samples: 5 ms
SILENCE_DB = 40.0  # below the loudest frame
PAUSES = ("_:", "_", "_!", "_|")
MARGIN_S = 0.010  # the alignment's hop is 11.6 ms
FIRST_MARGIN_S = 0.070
RANK = 75.0  # percentile of the frames in a window that stands for it: part of a window may be a neighbour's
THRESHOLD_DB = 3.0  # of -10 (median of [ʝ]) to 27 (of [ʃ]) on the corpus's train voices, see pocket/reports/accent.json


@dataclass(frozen=True)
class Window:
    """One ⟨ll, y⟩ of an utterance. `hiss_db`: noise over voicing, see `hiss_db`; [ʃ] lies above THRESHOLD_DB."""

    start_s: float
    end_s: float
    hiss_db: float

    @property
    def sheismo(self) -> bool:
        return self.hiss_db > THRESHOLD_DB


def listen(text: str, pcm: np.ndarray) -> list[Window]:
    """Every ⟨ll, y⟩ of `text` as spoken in `pcm`, float32 [T] at 22 050 Hz. None where the text holds none or nothing is heard.

    Raises:
        UserError: espeak-ng is not installed.
    """
    said = espeak.say(text)
    spans = ye_spans(said.phones)
    if not spans or not np.any(pcm):
        return []
    alignment = Alignment(wav.resample(said.pcm, said.rate_hz, SAMPLE_RATE_HZ), pcm)
    frames_db = hiss_db(pcm)
    return [_window(frames_db, alignment, span) for span in spans]


def share(windows: Sequence[Window]) -> float:
    """Share of windows spoken as [ʃ], 0 to 1; NaN of none."""
    return float(np.mean([window.sheismo for window in windows])) if windows else math.nan


@dataclass(frozen=True)
class Span:
    """A ⟨ll, y⟩ among phonemes. `first`: after a pause, where the alignment may give part of it to the silence before."""

    start_s: float
    end_s: float
    first: bool


def ye_spans(spoken: Sequence[espeak.Phone]) -> list[Span]:
    """The ⟨ll, y⟩ among phonemes, in order."""
    spans = []
    for before, phone, after in zip([None, *spoken], spoken, [*spoken[1:], None], strict=False):
        first = before is None or before.name in PAUSES
        if phone.name in YE_PHONES:
            spans.append(Span(phone.start_s, phone.end_s, first))
        elif after is not None and phone.name == after.name == GLIDE:
            spans.append(Span(phone.start_s, after.end_s, first))
    return spans


def hiss_db(pcm: np.ndarray) -> np.ndarray:
    """Power from 1.8 to 6 kHz over power from 80 to 900 Hz, in dB, one value per 5 ms; NaN in silence. [T] at 22 050 Hz -> [N]"""
    size = int(FRAME_S * SAMPLE_RATE_HZ)
    frequency_hz, _, spectrum = scipy.signal.stft(pcm, SAMPLE_RATE_HZ, nperseg=size, noverlap=size - HOP, padded=True)
    power = np.abs(spectrum) ** 2 + 1e-12
    low, hiss = (power[(frequency_hz >= band[0]) & (frequency_hz < band[1])].sum(axis=0) for band in (LOW_HZ, HISS_HZ))
    decibels = 10.0 * np.log10(hiss / low)
    return np.where(low + hiss > (low + hiss).max() * 10 ** (-SILENCE_DB / 10), decibels, np.nan)


def _window(frames_db: np.ndarray, alignment: "Alignment", span: Span) -> Window:
    start_s, end_s = (alignment.time_s(edge_s) for edge_s in (span.start_s, span.end_s))
    first = round((start_s - (FIRST_MARGIN_S if span.first else MARGIN_S)) * SAMPLE_RATE_HZ / HOP)
    last = round((end_s + MARGIN_S) * SAMPLE_RATE_HZ / HOP)
    frames = frames_db[max(0, first) : max(0, first, last) + 1]
    heard = frames[np.isfinite(frames)]
    return Window(start_s, end_s, float(np.percentile(heard, RANK)) if len(heard) else -math.inf)


class Alignment:
    """Times of one utterance carried over to another of the same words.

    Dynamic time warping over mel cepstra, each less its mean over the speech: voices and rooms differ by little more than that.
    """

    def __init__(self, reference: np.ndarray, other: np.ndarray) -> None:
        """[R], [T] at 22 050 Hz"""
        silence = np.zeros(int(LEAD_S * SAMPLE_RATE_HZ), np.float32)
        one, two = _centred(np.concatenate([silence, reference, silence])), _centred(other)
        self.reference, self.other = warp(cdist(one, two))

    def time_s(self, reference_s: float) -> float:
        """The moment in the other utterance that answers to `reference_s`: the middle of the frames matched with it."""
        hop_s, middle_s = measures.HOP / SAMPLE_RATE_HZ, measures.FRAME / 2 / SAMPLE_RATE_HZ
        near = np.clip(round((reference_s + LEAD_S - middle_s) / hop_s), self.reference[0], self.reference[-1])
        return float(self.other[self.reference == near].mean() * hop_s + middle_s)


def _centred(pcm: np.ndarray) -> np.ndarray:
    """Mel cepstra less their mean over the louder half of the frames. [T] -> [N, 13]"""
    cepstra = measures.cepstra(pcm)
    level = np.array([np.mean(np.square(pcm[at : at + measures.FRAME])) for at in range(0, len(cepstra) * measures.HOP, measures.HOP)])
    return np.asarray(cepstra - cepstra[level >= np.median(level)].mean(axis=0))


def warp(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Path of least total cost from corner to corner by steps of one in either or both. [N, M] -> rows [P], columns [P]"""
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)
    step = np.zeros((rows + 1, columns + 1), np.int8)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.stack([total[i, j], total[i, j + 1], total[i + 1, j]])
        step[i + 1, j + 1] = before.argmin(axis=0)
        total[i + 1, j + 1] = cost[i, j] + before.min(axis=0)
    path = [(rows, columns)]
    while path[-1] != (1, 1):
        i, j = path[-1]
        path.append([(i - 1, j - 1), (i - 1, j), (i, j - 1)][step[i, j]])
    back: np.ndarray = np.array(path[::-1]) - 1
    return back[:, 0], back[:, 1]
