"""Speech of espeak-ng through Opus, whose accent is set by its phonemes."""

import numpy as np

from pocket.corpus import opus
from voz.audio import wav
from voz.audio.wav import SAMPLE_RATE_HZ
from voz.metrics import espeak

VOICE = espeak.Speaker("es-419+f2", rate_wpm=145, pitch=60)  # not the one that speaks for the alignment


def spoken(text: str, speaker: espeak.Speaker = VOICE) -> np.ndarray:
    """A text, with phonemes in double brackets, as a phone sends it. float32 at 22 050 Hz [T]"""
    pcm, rate_hz, _ = espeak.synthesize(text, speaker, espeak.PHONEME)
    coded = opus.roundtrip(wav.resample(pcm, rate_hz, opus.SAMPLE_RATE_HZ), bitrate_bps=16_000)
    return wav.resample(coded, opus.SAMPLE_RATE_HZ, SAMPLE_RATE_HZ)
