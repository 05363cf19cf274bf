"""Recordings as phones write them, whole and damaged, made from tests/fixtures/note.opus (espeak-ng, 25 s, with pauses and noise)."""

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
    samples, rate_hz = soundfile.read(io.BytesIO(note()), dtype="float32")
    assert rate_hz == RATE_HZ
    return samples


def pages(data: bytes) -> list[bytearray]:
    """The pages of an Ogg file, to change and to join again."""
    return [bytearray(data[page.start : page.end]) for link in ogg.survey(data).links for page in link.pages]


def seal(page: bytearray) -> None:
    """Correct the checksum of a page that was changed."""
    page[:] = ogg.sealed(bytes(page))


def joined(parts: list[bytearray]) -> bytes:
    """An Ogg file of these pages."""
    return b"".join(parts)


def no_end() -> bytes:
    """All pages, without the end-of-stream flag."""
    parts = pages(note())
    parts[-1][5] &= ~4
    seal(parts[-1])
    return joined(parts)


def granule(value: int) -> bytes:
    """The last page has the granule position `value`."""
    parts = pages(note())
    parts[-1][6:14] = value.to_bytes(8, "little")
    seal(parts[-1])
    return joined(parts)


def missing_page() -> bytes:
    """Without the ninth page: 1 s of audio."""
    parts = pages(note())
    return joined(parts[:8] + parts[9:])


def flipped_bit() -> bytes:
    """With a bit of the ninth page flipped, so that its checksum is wrong."""
    parts = pages(note())
    parts[8][100] ^= 4
    return joined(parts)


def wav(samples: np.ndarray, *, rate_hz: int = RATE_HZ, subtype: str = "PCM_16") -> bytes:
    """A WAV file. [T] or [T, C]"""
    return sound_file(samples, "WAV", subtype, rate_hz)


def sound_file(samples: np.ndarray, container: str, subtype: str, rate_hz: int = RATE_HZ) -> bytes:
    """A file that libsndfile can write: WAV, FLAC, MP3, OGG, AIFF, CAF. [T] or [T, C]"""
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=container, subtype=subtype)
    return out.getvalue()


def encoded(container: str, codec: str, samples: np.ndarray, *, rate_hz: int = RATE_HZ, video: bool = False, sound: bool = True) -> bytes:
    """A file that FFmpeg's libraries can write: mp4, adts, matroska, ogg. `video` adds a few black pictures, `sound` the samples [T]."""
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
    """AMR at 12.2 kbit/s with frames of zeros, which hum (FFmpeg has no encoder): 20 ms each, frame type 7, quality bit set."""
    return b"#!AMR\n" + round(seconds / 0.02) * (bytes([7 << 3 | 4]) + bytes(31))


def inverted() -> bytes:
    """A stereo WAV whose second channel is exactly the first one inverted: their mean is digital silence."""
    return wav(np.stack([pcm(), -pcm()], axis=1), subtype="FLOAT")
