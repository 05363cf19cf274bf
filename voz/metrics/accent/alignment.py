"""Where a recording of a known text speaks each sound: espeak-ng's times of the same text, mapped by dynamic time warping.

The two are compared by mel cepstra less their mean over the speech, which removes most of what tells two voices and rooms apart, and
by their slopes and the level, which find the edges of a sound.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.fft
from scipy.spatial.distance import cdist

import voz.compat  # noqa: F401 - repairs the import of torchaudio, which therefore comes after it
from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import dtw, espeak

import torchaudio  # isort: skip

FRAME, HOP = 512, 110  # samples: 23 and 5 ms
HOP_S = HOP / SAMPLE_RATE_HZ
LEAD_S = 0.1  # silence added before and after espeak-ng's speech, which the recording's own silence is aligned with
MEL_BANDS, MEL_HZ = 40, (60.0, 7_600.0)
CEPSTRA = 13  # c1..c13; c0 is the level
FLOOR_DB = 60.0  # bands further below the loudest count as this far below: codecs leave holes
SLOPE_FRAMES = 4  # the slope spans 40 ms
SLOPE_WEIGHT, LEVEL_WEIGHT = 0.5, 0.5  # halved the errors of boundaries on synthetic voices; twice or no level is as good
LEVEL_RANGE = (-4.0, 2.0)  # standard deviations of the speech's level
GLIDES = ("j", "w", ";")  # espeak-ng's mnemonics
TEXTS = 256  # whose features are kept, 0.4 MB each: the lines of evaluate are aligned once for each voice, those of train after each epoch
PAUSES = ("_:", "_", "_!", "_|")  # espeak-ng's; "_" alone is the gap before a word


@dataclass(frozen=True)
class Sound:
    """A phoneme of the text, by espeak-ng's mnemonic, where a recording speaks it.

    word: index into `Aligned.words`.
    stressed: it is the vowel of a syllable that espeak-ng stresses.
    """

    name: str
    start_s: float
    end_s: float
    word: int
    stressed: bool = False


@dataclass(frozen=True)
class Aligned:
    """The sounds of a recording, pauses included, in order, and the words as written.

    word_ends: how many characters of the text each word and what is before it are.
    """

    sounds: list[Sound]
    words: list[str]
    word_ends: list[int]


def align(text: str, pcm: np.ndarray) -> Aligned:
    """Find the sounds of a text in the recording that speaks it; none if the recording is silent.

    Args:
        pcm: float32 at 22 050 Hz. [T]

    Raises:
        UserError: espeak-ng is not installed.
    """
    reference, rows = _reference(text)
    if not reference.phones or not np.any(pcm):
        return Aligned([], reference.words, reference.word_ends)
    path = dtw.align(cdist(rows, features(pcm)))
    edges_s = [phone.start_s for phone in reference.phones] + [reference.phones[-1].end_s]
    times_s = map_times(path, np.array(edges_s) + LEAD_S)
    pairs = zip(reference.phones, times_s, times_s[1:], strict=False)
    sounds = [Sound(phone.name, float(start), float(end), phone.word, phone.stressed) for phone, start, end in pairs]
    return Aligned(sounds, reference.words, reference.word_ends)


@functools.lru_cache(maxsize=TEXTS)
def _reference(text: str) -> tuple[espeak.Speech, np.ndarray]:
    """espeak-ng's speech of a text, without its samples, and the features that recordings are aligned with. [N, 27]"""
    speech = espeak.say(text)
    silence = np.zeros(int(LEAD_S * SAMPLE_RATE_HZ), np.float32)
    pcm = wav.resample(speech.pcm, speech.rate_hz, SAMPLE_RATE_HZ)
    return replace(speech, pcm=speech.pcm[:0]), features(np.concatenate([silence, pcm, silence]))


def map_times(path: dtw.Path, times_s: np.ndarray) -> np.ndarray:
    """Times of the columns that times of the rows are aligned with: the mean over the columns that share a row, linear between rows."""
    count = np.bincount(path.rows)
    column = np.bincount(path.rows, path.columns) / count
    mapped: np.ndarray = np.interp(times_s / HOP_S, np.arange(len(column)), column) * HOP_S
    return mapped


def features(pcm: np.ndarray) -> np.ndarray:
    """What two recordings of one text are aligned by, each 5 ms. [T] -> [N, 27]"""
    padded = np.pad(pcm.astype(np.float64), FRAME // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, FRAME)[::HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(FRAME), axis=1)) ** 2
    mel_db = 10.0 * np.log10(power @ _mel_filters() + 1e-12)
    mel_db = np.maximum(mel_db, np.percentile(mel_db, 99) - FLOOR_DB)
    level_db = mel_db.mean(axis=1)
    loud = level_db >= np.median(level_db)
    cepstra = scipy.fft.dct(mel_db, norm="ortho", axis=1)[:, 1 : CEPSTRA + 1]
    cepstra -= cepstra[loud].mean(axis=0)
    cepstra /= np.sqrt(np.mean(cepstra[loud] ** 2)) + 1e-9  # a signal may be constant
    level = (level_db - level_db[loud].mean()) / (level_db[loud].std() + 1e-9)
    around = np.pad(cepstra, ((SLOPE_FRAMES, SLOPE_FRAMES), (0, 0)), mode="edge")
    slope = around[2 * SLOPE_FRAMES :] - around[: -2 * SLOPE_FRAMES]
    return np.concatenate([cepstra, LEVEL_WEIGHT * level.clip(*LEVEL_RANGE)[:, None], SLOPE_WEIGHT * slope], axis=1)


def is_vowel(sound: Sound) -> bool:
    """True for vowels and diphthongs, not for glides."""
    return sound.name[0] in "aeiouAEIOU"


def is_vocalic(sound: Sound) -> bool:
    """True for vowels, diphthongs and glides."""
    return is_vowel(sound) or sound.name in GLIDES


def is_pause(sound: Sound) -> bool:
    """True for silence, also for the gap before a word."""
    return sound.name in PAUSES


def spoken(sounds: Sequence[Sound]) -> list[list[Sound]]:
    """The sounds of each phrase: what lies between two pauses. The gaps before words are left out."""
    phrases: list[list[Sound]] = [[]]
    for sound in sounds:
        if not is_pause(sound):
            phrases[-1].append(sound)
        elif sound.name != "_" and phrases[-1]:
            phrases.append([])
    return [phrase for phrase in phrases if phrase]


@functools.cache
def _mel_filters() -> np.ndarray:
    """Mel filters of unit area (Slaney). [FRAME / 2 + 1, MEL_BANDS]"""
    fbanks = torchaudio.functional.melscale_fbanks
    return np.asarray(fbanks(FRAME // 2 + 1, *MEL_HZ, MEL_BANDS, SAMPLE_RATE_HZ, norm="slaney", mel_scale="slaney").numpy())
