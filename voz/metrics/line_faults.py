"""What is wrong with a spoken line: too short, too long, noise after its words, *punto* read aloud, or not what Whisper hears.

XTTS babbles, stops early or reads the full stop aloud now and then; another try with other random numbers is the cure.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from voz.audio import vad, wav
from voz.audio.level import decibel, frames_db
from voz.audio.wav import OUTPUT_RATE_HZ, SAMPLE_RATE_HZ
from voz.metrics import measures
from voz.text import normalize

TOO_SHORT, TOO_LONG, NOISE, FULL_STOP, MISHEARD = "too_short", "too_long", "noise", "full_stop_read", "misheard"
FASTEST_CHARS_PER_S, SLOWEST_CHARS_PER_S = 25.0, 5.0  # people speak 10 to 20; with its pauses a line has 9 to 16
LEAD_S = 1.0  # a slow line may last this much longer: the silence around one short word
# Tried on 383 clips of eight real speakers (Asterisk's prompts, five languages): no speech was ever cut, two beeps were.
NOISE_DB = 30.0  # what follows the words and is less than this under their level is noise: silence and echo are quieter
OVER_PAUSES_DB = 6.0  # and so much over the pauses between the words: a voice from noisy notes has their background everywhere
NOISE_S = 0.15  # if it lasts this long
KEPT_S, FADE_S = 0.1, 0.03  # after the last word, where noise is cut off: silero ends a word before its last fricative does
MAX_CUT_S = 0.7  # more noise than this is worth another try
_SENTENCE_END = re.compile(r"(?<=\w)\.(?=\s|$)")


@dataclass(frozen=True)
class WithoutNoise:
    """Speech whose trailing noise was cut off. pcm: float32 at 24 000 Hz [T]"""

    pcm: np.ndarray
    cut_s: float


def cut_noise(pcm: np.ndarray) -> WithoutNoise:
    """Cut off the noise after the last word, if there is any. Silence stays. float32 in [-1, 1] at 24 000 Hz [T]

    The words end where silero's probability of speech falls for the last time; in what silero takes for speech nothing is cut, so
    babble is left to the other checks.
    """
    found = vad.analyse_pcm(wav.resample(pcm, OUTPUT_RATE_HZ, SAMPLE_RATE_HZ))
    spoken = vad.runs(vad.hysteresis(found.probability))
    if not spoken:
        return WithoutNoise(pcm, 0.0)
    end = spoken[-1][1]
    energy_db = frames_db(found.energy)
    pauses_db = [energy_db[first:last] for (_, first), (last, _) in pairwise(spoken)]
    quiet_db = float(np.median(np.concatenate(pauses_db))) + OVER_PAUSES_DB if pauses_db else -np.inf
    noise_db = max(decibel(float(found.energy[found.mask].mean())) - NOISE_DB, quiet_db)
    if (energy_db[end + round(KEPT_S / vad.HOP_S) :] > noise_db).sum() * vad.HOP_S < NOISE_S:
        return WithoutNoise(pcm, 0.0)
    kept = pcm[: round((end * vad.HOP_S + KEPT_S) * OUTPUT_RATE_HZ)].copy()
    fade = round(FADE_S * OUTPUT_RATE_HZ)
    kept[-fade:] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)
    return WithoutNoise(kept, (len(pcm) - len(kept)) / OUTPUT_RATE_HZ)


def find(text: str, pcm: np.ndarray, *, cut_s: float, transcript: str, max_cer: float) -> list[str]:
    """The faults of a line, none if it is good.

    Args:
        text: as it was given to the model.
        pcm: what was spoken, without its trailing noise, at 24 000 Hz. [T]
        cut_s: of noise that was cut off.
        transcript: Whisper's.
        max_cer: highest character error rate that is accepted.
    """
    letters, duration_s = len(normalize.spoken(text)), len(pcm) / OUTPUT_RATE_HZ
    found = {
        TOO_SHORT: duration_s < letters / FASTEST_CHARS_PER_S,
        TOO_LONG: duration_s > LEAD_S + letters / SLOWEST_CHARS_PER_S,
        NOISE: cut_s > MAX_CUT_S,
        FULL_STOP: full_stops_read(transcript) > full_stops_read(text),
        MISHEARD: measures.cer(text, transcript) > max_cer,
    }
    return [name for name, is_so in found.items() if is_so]


def full_stops_read(text: str) -> int:
    """How often a text has the word *punto*."""
    return normalize.spoken(text).split().count("punto")


def full_stops_apart(text: str) -> str:
    """The text with a space before the full stop of each sentence, so that the model does not read it aloud.

    Advice of XTTS's authors (https://github.com/coqui-ai/TTS/issues/2952). Only for another try: the voice was not trained on it.
    """
    return _SENTENCE_END.sub(" .", text)
