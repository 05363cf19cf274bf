"""PCM in and out of WAV files, and the sample rates of the system. Decoding what a phone made is `voz/audio/decode.py`."""

import os
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE_HZ = 22_050  # what XTTS's GPT, DVAE and conditioning hear; every wav between the stages has it
OUTPUT_RATE_HZ = 24_000  # what XTTS's decoder speaks
ASR_RATE_HZ = 16_000  # Whisper, Silero and XTTS's speaker encoder


def read(path: Path, *, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Read a mono WAV of a known rate.

    Returns:
        float32 in [-1, 1]. [T]

    Raises:
        ValueError: the file has another rate or more than one channel.
    """
    with open(path, "rb") as file:  # by object: soundfile raises on names that are not UTF-8
        pcm, found_hz = soundfile.read(file, dtype="float32", always_2d=True)
    if found_hz != rate_hz or pcm.shape[1] != 1:
        raise ValueError(f"{path}: {found_hz} Hz, {pcm.shape[1]} channels; expected {rate_hz} Hz mono")
    return pcm[:, 0]


def write(path: Path, pcm: np.ndarray, *, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono PCM16, atomically. `pcm` is float in [-1, 1] (clipped) or int16. [T]"""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    encode(temporary, pcm, rate_hz=rate_hz)
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)


def encode(path: Path, pcm: np.ndarray, *, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """As `write`, straight into a file: for a scratch entry, which appears as a whole."""
    with open(path, "wb") as file:
        soundfile.write(file, to_int16(pcm), rate_hz, format="WAV", subtype="PCM_16")


def to_int16(pcm: np.ndarray) -> np.ndarray:
    """Round float samples in [-1, 1] to 16 bits, clipping what is outside; what `read` gave becomes the same bytes. [T] -> [T]"""
    if pcm.dtype == np.int16:
        return pcm
    return np.clip(np.round(pcm * 32768.0), -32768, 32767).astype(np.int16)


def resample(pcm: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Change the sample rate with soxr at very high quality. float32 [T] -> float32 [T * to_hz / from_hz]"""
    if from_hz == to_hz:
        return pcm
    return soxr.resample(pcm, from_hz, to_hz, quality="VHQ").astype(np.float32)


def duration_s(path: Path) -> float:
    """Length of a WAV file in seconds, from its header."""
    with open(path, "rb") as file:
        info = soundfile.info(file)
    return float(info.frames / info.samplerate)
