"""Write speech as a file: WAV, FLAC, MP3 or Ogg Opus, by the ending of its name. The same samples give the same bytes.

Everything is encoded in memory first: libsndfile writes through callbacks, whose errors (a full disk) do not reach the caller.
"""

import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import scipy.io.wavfile
import soundfile

from voz.audio import wav
from voz.audio.wav import OUTPUT_RATE_HZ
from voz.pipeline import files
from voz.pipeline.command import UserError

OPUS_BPS = 48_000  # clear of what is heard in mono speech; a phone's voice notes have 16 000 to 24 000
MP3_COMPRESSION = 0.3  # 0 to 1, LAME's variable bit rate: about 70 kb/s for speech


def write(path: Path, pcm: np.ndarray) -> None:
    """Write mono speech at 24 000 Hz, atomically. float32 in [-1, 1], clipped outside [T]

    Raises:
        UserError: the ending of the name is none of `ENCODERS`.
    """
    encoded = encoder_of(path)(wav.to_int16(pcm))
    with files.atomic(path) as file:
        file.write(encoded)


def encoder_of(path: Path) -> Callable[[np.ndarray], bytes]:
    """What makes the bytes of a file of this name. int16 [T] at 24 000 Hz

    Raises:
        UserError: nothing does.
    """
    try:
        return ENCODERS[path.suffix.lower()]
    except KeyError as error:
        raise UserError(
            "{path}: no format with the ending {ending!r}",
            "end the name in {endings}",
            path=files.printable(str(path)),
            ending=path.suffix,
            endings=", ".join(ENCODERS),
        ) from error


def endless_wav_header() -> bytes:
    """Header of a wav of mono PCM16 at 24 000 Hz whose length is not known yet: both sizes are the largest there are."""
    endless = 2**32 - 1
    form = struct.pack("<HHIIHH", 1, 1, OUTPUT_RATE_HZ, 2 * OUTPUT_RATE_HZ, 2, 16)  # PCM, channels, rate, bytes/s, bytes/frame, bits
    return b"RIFF" + struct.pack("<I", endless) + b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", endless)


def opus(pcm: np.ndarray, rate_hz: int, *, bitrate_bps: int) -> bytes:
    """Ogg Opus: fixed serial number, no encoder version, no time stamp. int16 [T] at 8, 12, 16, 24 or 48 kHz"""
    out = io.BytesIO()
    with av.open(out, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=rate_hz, layout="mono", options={"flags": "+bitexact"})
        stream.bit_rate = bitrate_bps
        frame = av.AudioFrame.from_ndarray(pcm[None], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _wav(pcm: np.ndarray) -> bytes:
    out = io.BytesIO()
    scipy.io.wavfile.write(out, OUTPUT_RATE_HZ, pcm)
    return out.getvalue()


def _flac(pcm: np.ndarray) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, pcm, OUTPUT_RATE_HZ, format="FLAC", subtype="PCM_16")
    return out.getvalue()


def _mp3(pcm: np.ndarray) -> bytes:
    out = io.BytesIO()
    settings = {"bitrate_mode": "VARIABLE", "compression_level": MP3_COMPRESSION}
    soundfile.write(out, pcm, OUTPUT_RATE_HZ, format="MP3", subtype="MPEG_LAYER_III", **settings)
    return out.getvalue()


def _opus(pcm: np.ndarray) -> bytes:
    return opus(pcm, OUTPUT_RATE_HZ, bitrate_bps=OPUS_BPS)


ENCODERS = {".wav": _wav, ".flac": _flac, ".mp3": _mp3, ".opus": _opus, ".ogg": _opus}
