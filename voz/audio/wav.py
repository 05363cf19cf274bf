"""Read and write the WAV files between the stages; the sample rates of the system. Recordings from phones: voz/audio/decode.py."""

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voz.pipeline import files
from voz.pipeline.command import UserError
from voz.pipeline.language import later

SAMPLE_RATE_HZ = 22_050  # input of XTTS's GPT, DVAE and conditioning encoder; every wav between the stages has it
OUTPUT_RATE_HZ = 24_000  # output of XTTS's decoder
ASR_RATE_HZ = 16_000  # input of Whisper, Silero and XTTS's speaker encoder
_RESTORE = later("`dvc checkout` restores its folder, `dvc repro` writes it again")


@contextmanager
def opened(path: Path, *, rate_hz: int = SAMPLE_RATE_HZ) -> Iterator[soundfile.SoundFile]:
    """Open a mono WAV of a known rate, for reading block by block.

    Raises:
        UserError: the file is missing or damaged, or has another rate or more than one channel.
    """
    try:
        with open(path, "rb") as file, soundfile.SoundFile(file) as sound:  # not by name: soundfile raises on names that are not UTF-8
            if sound.samplerate != rate_hz or sound.channels != 1:
                raise UserError(
                    "{path}: {found_hz} Hz, {channels} channels; expected {rate_hz} Hz mono",
                    _RESTORE,
                    path=path,
                    found_hz=sound.samplerate,
                    channels=sound.channels,
                    rate_hz=rate_hz,
                )
            yield sound
    except FileNotFoundError as error:
        raise UserError("{path}: missing", _RESTORE, path=path) from error
    except soundfile.LibsndfileError as error:
        raise UserError("{path}: not a readable WAV ({reason})", _RESTORE, path=path, reason=error.error_string) from error


def read(path: Path, *, rate_hz: int = SAMPLE_RATE_HZ) -> np.ndarray:
    """Read a mono WAV of a known rate, see `opened`. -> float32 in [-1, 1] [T]"""
    with opened(path, rate_hz=rate_hz) as sound:
        return np.asarray(sound.read(dtype="float32"))


def samples(path: Path, *, rate_hz: int = SAMPLE_RATE_HZ) -> int:
    """Length of a mono WAV of a known rate in samples, from its header; see `opened`."""
    with opened(path, rate_hz=rate_hz) as sound:
        return int(sound.frames)


def write(path: Path, pcm: np.ndarray, *, rate_hz: int = SAMPLE_RATE_HZ) -> None:
    """Write mono PCM16, atomically. `pcm` is float in [-1, 1] (clipped) or int16. [T]"""
    with files.atomic(path) as file:
        file.write(_wav_bytes(to_int16(pcm), rate_hz))


def copy_stretch(source: Path, target: Path, *, start_s: float, end_s: float) -> None:
    """Copy a stretch of a 22 050 Hz wav, samples unchanged. Not atomic: for an entry of the cache, which appears as a whole."""
    first, last = round(start_s * SAMPLE_RATE_HZ), round(end_s * SAMPLE_RATE_HZ)
    with opened(source) as sound:
        sound.seek(first)
        target.write_bytes(_wav_bytes(sound.read(last - first, dtype="int16"), SAMPLE_RATE_HZ))


def _wav_bytes(pcm: np.ndarray, rate_hz: int) -> bytes:
    """A mono PCM16 WAV of int16 samples. In memory: on a full disk, soundfile prints tracebacks and raises no OSError. [T]"""
    data = io.BytesIO()
    soundfile.write(data, pcm, rate_hz, format="WAV", subtype="PCM_16")
    return data.getvalue()


def to_int16(pcm: np.ndarray) -> np.ndarray:
    """Round float samples to 16 bits, clipping outside [-1, 1]. What `read` returned becomes the same 16 bits again. [T] -> int16 [T]"""
    if pcm.dtype == np.int16:
        return pcm
    return np.clip(np.round(pcm * 32768.0), -32768, 32767).astype(np.int16)


def hash_samples(pcm: np.ndarray) -> str:
    """SHA-256 of samples as float32, hex. [T]"""
    return hashlib.sha256(np.ascontiguousarray(pcm, dtype=np.float32).tobytes()).hexdigest()


def resample(pcm: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Change the sample rate with soxr at very high quality. float32 [T] -> float32 [T * to_hz / from_hz]"""
    if from_hz == to_hz:
        return pcm
    return soxr.resample(pcm, from_hz, to_hz, quality="VHQ").astype(np.float32)
