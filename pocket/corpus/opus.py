"""Ogg Opus the way a phone sends it: 16 kHz mono, voip, 20 ms frames. The same samples give the same bytes."""

import io

import av
import numpy as np

SAMPLE_RATE_HZ = 16_000


def encode(pcm: np.ndarray, *, bitrate_bps: int, effort: int = 10) -> bytes:
    """Encode mono float32 [T] at 16 kHz. `effort` 0-10 is libopus's complexity.

    Bit-exact muxing: fixed Ogg serial number, no encoder version, no time stamp.
    """
    file = io.BytesIO()
    with av.open(file, "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        options = {"application": "voip", "frame_duration": "20", "vbr": "on", "compression_level": str(effort), "flags": "+bitexact"}
        stream = container.add_stream("libopus", rate=SAMPLE_RATE_HZ, layout="mono", options=options)
        stream.bit_rate = bitrate_bps
        samples = np.round(np.clip(pcm, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = SAMPLE_RATE_HZ
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def decode(data: bytes) -> np.ndarray:
    """Mono float32 [T] at 16 kHz. Through FFmpeg: libsndfile 1.2.2 calls some files of just under a second malformed."""
    with av.open(io.BytesIO(data), format="ogg") as container:
        to_16k = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE_HZ)
        frames = [*container.decode(audio=0), None]
        return np.concatenate([piece.to_ndarray()[0] for frame in frames for piece in to_16k.resample(frame)])


def roundtrip(pcm: np.ndarray, *, bitrate_bps: int) -> np.ndarray:
    """Encode and decode: [T] at 16 kHz in, [T] out."""
    decoded = decode(encode(pcm, bitrate_bps=bitrate_bps, effort=2))[: len(pcm)]
    return np.pad(decoded, (0, len(pcm) - len(decoded)))
