"""Recordings as phones write them, and broken ones, made from tests/fixtures/note.opus (espeak-ng, 25 s, with pauses and noise)."""

import io
from functools import cache
from pathlib import Path

import av
import numpy as np
import soundfile

from voz.audio import ogg

NOTE = Path(__file__).parent / "fixtures" / "note.opus"
RATE_HZ = 16_000


@cache
def note() -> bytes:
    """The bytes of the fixture: Ogg Opus, one link, 27 pages."""
    return NOTE.read_bytes()


@cache
def pcm() -> np.ndarray:
    """Its samples, float32 at 16 kHz. [T]"""
    heard, rate_hz = soundfile.read(io.BytesIO(note()), dtype="float32")
    assert rate_hz == RATE_HZ
    return heard


def pages(data: bytes) -> list[bytearray]:
    """The pages of an Ogg file, to be changed and joined again."""
    return [bytearray(data[page.start : page.end]) for link in ogg.survey(data).links for page in link.pages]


def sealed(page: bytearray) -> bytearray:
    """A changed page with its checksum made right."""
    page[22:26] = bytes(4)
    page[22:26] = ogg.crc(bytes(page)).to_bytes(4, "little")
    return page


def joined(parts: list[bytearray]) -> bytes:
    return b"".join(parts)


def no_end() -> bytes:
    """Every page there, no end-of-stream flag."""
    parts = pages(note())
    parts[-1][5] &= ~4
    sealed(parts[-1])
    return joined(parts)


def granule(value: int) -> bytes:
    """The last page counts to `value`."""
    parts = pages(note())
    parts[-1][6:14] = value.to_bytes(8, "little")
    sealed(parts[-1])
    return joined(parts)


def missing_page() -> bytes:
    parts = pages(note())
    return joined(parts[:8] + parts[9:])


def flipped_bit() -> bytes:
    parts = pages(note())
    parts[8][100] ^= 4
    return joined(parts)


def wav(samples: np.ndarray, *, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> bytes:
    """[T] or [T, C]"""
    return sound_file(samples, "WAV", subtype, rate_hz)


def sound_file(samples: np.ndarray, container: str, subtype: str, rate_hz: int = RATE_HZ) -> bytes:
    """What libsndfile can write: WAV, FLAC, MP3, OGG, AIFF, CAF."""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=container, subtype=subtype)
    return out.getvalue()


def encoded(container: str, codec: str, samples: np.ndarray, *, rate_hz: int = RATE_HZ, video: bool = False, sound: bool = True) -> bytes:
    """What FFmpeg's libraries can write: mp4, adts, matroska, ogg; `video` adds a few black pictures."""
    out = io.BytesIO()
    with av.open(out, "w", format=container) as opened:
        picture = opened.add_stream("mpeg4", rate=5) if video else None
        stream = opened.add_stream(codec, rate=rate_hz, layout="mono") if sound else None
        if picture is not None:
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuv420p"
            for _ in range(5):
                opened.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")))
            opened.mux(picture.encode())
        if stream is not None:
            frame = av.AudioFrame.from_ndarray((samples[None] * 32767).astype(np.int16), format="s16", layout="mono")
            frame.sample_rate = rate_hz
            opened.mux(stream.encode(frame))
            opened.mux(stream.encode())
    return out.getvalue()


def amr(seconds: float) -> bytes:
    """AMR at 12.2 kbit/s with empty frames (FFmpeg has no encoder), which hum: 20 ms each, frame type 7, good quality bit."""
    return b"#!AMR\n" + round(seconds / 0.02) * (bytes([7 << 3 | 4]) + bytes(31))
