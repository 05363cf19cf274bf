"""Recognise an audio format by its first bytes, and a truncated file by its framing. File names are not trusted."""

import re
import struct
from dataclasses import dataclass

from voz.audio.ogg import AUDIO_CODECS, CAPTURE, Bytes

HEAD_BYTES = 4096
_MAGIC = [
    (b"fLaC", "flac"),
    (b"#!AMR-WB\n", "amr-wb"),
    (b"#!AMR\n", "amr"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"caff", "caf"),
    (b"ID3", "mp3"),
]
_PLAYLIST = re.compile(rb"\s*+(\xef\xbb\xbf)?\s*+(#EXTM3U|ffconcat|\[playlist\]|<\?xml[^>]*+>\s*+<(playlist|MPD|smil))", re.IGNORECASE)
_AMR_FRAME_BYTES = {  # by frame type, with the header byte: 3GPP TS 26.101 and 26.201
    "amr": (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1),
    "amr-wb": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1),
}


@dataclass(frozen=True)
class Format:
    """`name` is what the manifest says; `demuxer` is FFmpeg's name for the container."""

    name: str
    demuxer: str


@dataclass(frozen=True)
class Truncation:
    """The end of a file is missing: a sentence, and how much audio is lost if the framing tells."""

    text: str
    missing_s: float = 0.0


def sniff(head: bytes) -> Format | None:
    """The format of a file, from its first HEAD_BYTES; None if it is not a known audio format."""
    if head.startswith(CAPTURE):
        codec = next((name for magic, name in AUDIO_CODECS.items() if magic in head), "")
        return Format(f"ogg-{codec}" if codec else "ogg", "ogg")
    if head[:4] in (b"RIFF", b"RF64") and head[8:12] == b"WAVE":
        return Format("wav", "wav")
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return Format("aiff", "aiff")
    if head[4:8] == b"ftyp":
        return Format(_mp4_name(head[8:12]), "mov")
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return Format(name, "amr" if name.startswith("amr") else name)
    if _is_adts(head, 0):
        return Format("aac", "aac")
    return Format("mp3", "mp3") if _is_mpeg_audio(head) else None


def is_playlist(head: bytes) -> bool:
    """True for HLS, ffconcat, PLS, DASH and XSPF: text that names other files, which a decoder might open."""
    return bool(_PLAYLIST.match(head))


def find_truncation(data: Bytes, form: Format) -> Truncation | None:
    """What the container's framing says of a missing end; None if nothing is missing. For Ogg see `ogg.survey`."""
    if form.name == "wav":
        return _wav_truncation(data)
    if form.demuxer == "mov":
        text = _mp4_truncation(data)
    elif form.name in _AMR_FRAME_BYTES:
        text = _amr_truncation(data, form.name)
    else:
        text = _adts_truncation(data) if form.name == "aac" else ""
    return Truncation(text) if text else None


def _mp4_name(brand: bytes) -> str:
    if brand.startswith(b"M4A"):
        return "m4a"
    return "3gp" if brand.startswith(b"3g") else "mp4"


def _is_adts(data: Bytes, at: int) -> bool:
    """True if an AAC frame header is at byte `at`: 12 sync bits, layer 0."""
    return len(data) >= at + 7 and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0


def _is_mpeg_audio(head: bytes) -> bool:
    """True for an MPEG audio frame header: 11 sync bits; version, layer, bit rate and sample rate are not reserved values."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and rate != 3


def _wav_truncation(data: Bytes) -> Truncation | None:
    """Compare the stated size of the data chunk with the file. 0 or about 2 or 4 GB is what streaming programs write: unknown."""
    at, bytes_per_s = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            known = 0 < size < 0x7FFFF000 and data[:4] != b"RF64"
            lost = size - (len(data) - at - 8)
            if not known or lost <= 0:
                return None
            return Truncation(f"{lost} of {size} bytes missing", lost / bytes_per_s if bytes_per_s else 0.0)
        if name == b"fmt ":
            bytes_per_s = int.from_bytes(data[at + 16 : at + 20], "little")
        at += 8 + size + size % 2
    return None


def _mp4_truncation(data: Bytes) -> str:
    """Walk the top-level boxes: is one longer than the rest of the file, or is the index missing?"""
    at, names = 0, set()
    while at + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        if size == 1 and at + 16 <= len(data):
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size == 0:  # "to the end of the file"
            size = len(data) - at
        if size < 8:
            break
        names.add(name)
        if at + size > len(data):
            return f"{at + size - len(data)} bytes of its box {name.decode('latin-1')!r} missing"
        at += size
    return "" if {b"moov", b"moof"} & names else "its index (moov) is missing"


def _amr_truncation(data: Bytes, name: str) -> str:
    """Walk the frames: is the last one longer than the rest of the file?"""
    sizes = _AMR_FRAME_BYTES[name]
    at = len(b"#!AMR\n") if name == "amr" else len(b"#!AMR-WB\n")
    while at < len(data):
        at += sizes[data[at] >> 3 & 15]
    return f"{at - len(data)} bytes of the last frame missing" if at > len(data) else ""


def _adts_truncation(data: Bytes) -> str:
    """Walk the frames: is the last one longer than the rest of the file?"""
    at = 0
    while _is_adts(data, at):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if size < 7:
            break
        at += size
    return f"{at - len(data)} bytes of the last frame missing" if at > len(data) else ""
