"""What a file is, by its first bytes and its own framing: names lie, and playlists make decoders open other files."""

import mmap
import re
import struct
from dataclasses import dataclass

HEAD_BYTES = 4096
TRUNCATED = "truncated"
Bytes = bytes | mmap.mmap
_OGG = {b"OpusHead": "opus", b"\x01vorbis": "vorbis", b"\x7fFLAC": "flac", b"Speex   ": "speex"}
_MAGIC = [
    (b"fLaC", "flac"),
    (b"#!AMR-WB\n", "amr-wb"),
    (b"#!AMR\n", "amr"),
    (b"\x1aE\xdf\xa3", "matroska"),
    (b"caff", "caf"),
    (b"ID3", "mp3"),
]
_PLAYLIST = re.compile(rb"\s*(\xef\xbb\xbf)?\s*(#EXTM3U|ffconcat|\[playlist\]|<\?xml[^>]*>\s*<(playlist|MPD|smil))", re.IGNORECASE)
_AMR_FRAME_BYTES = {  # by frame type, header byte included: 3GPP TS 26.101 and 26.201
    "amr": (13, 14, 16, 18, 20, 21, 27, 32, 6, 1, 1, 1, 1, 1, 1, 1),
    "amr-wb": (18, 24, 33, 37, 41, 47, 51, 59, 61, 6, 1, 1, 1, 1, 1, 1),
}


@dataclass(frozen=True)
class Format:
    """`name` is what the manifest says; `demuxer` is FFmpeg's name for the container."""

    name: str
    demuxer: str


@dataclass(frozen=True)
class Cut:
    """The end of a file is missing: a sentence, and the seconds that are lost where the framing tells."""

    text: str
    missing_s: float = 0.0


def sniff(head: bytes) -> Format | None:
    """Tell the format from a file's first `HEAD_BYTES`; None if it is no sound that we know. Never opens anything."""
    if head.startswith(b"OggS"):
        codec = next((name for magic, name in _OGG.items() if magic in head), "")
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
    """True for HLS, ffconcat, PLS, DASH and XSPF: text that names other files. They are never followed."""
    return bool(_PLAYLIST.match(head))


def cut_off(data: Bytes, form: Format) -> Cut | None:
    """Say how a container's own framing shows that its end is missing; None if it does not. Ogg has its own walk."""
    if form.name == "wav":
        return _wav_cut(data)
    if form.demuxer == "mov":
        text = _mp4_cut(data)
    elif form.name in _AMR_FRAME_BYTES:
        text = _amr_cut(data, form.name)
    else:
        text = _adts_cut(data) if form.name == "aac" else ""
    return Cut(text) if text else None


def _mp4_name(brand: bytes) -> str:
    if brand.startswith(b"M4A"):
        return "m4a"
    return "3gp" if brand.startswith(b"3g") else "mp4"


def _is_adts(data: Bytes, at: int) -> bool:
    """AAC frame header: 12 sync bits, layer 0."""
    return len(data) >= at + 7 and data[at] == 0xFF and data[at + 1] & 0xF6 == 0xF0


def _is_mpeg_audio(head: bytes) -> bool:
    """MPEG audio frame header: 11 sync bits, no reserved version, layer, bit rate or sample rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer, bit_rate, rate = head[1] >> 3 & 3, head[1] >> 1 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and layer != 0 and bit_rate not in (0, 15) and rate != 3


def _wav_cut(data: Bytes) -> Cut | None:
    """The data chunk's stated size against the file's. Programs that stream write 0 or some 2 or 4 GB: no statement."""
    at, bytes_per_s = 12, 0
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name == b"data":
            there = len(data) - at - 8
            stated = 0 < size < 0x7FFFF000 and data[:4] != b"RF64"
            lost = size - there if stated and size > there else 0
            return Cut(f"{lost} of {size} bytes missing", lost / bytes_per_s if bytes_per_s else 0.0) if lost else None
        if name == b"fmt ":
            bytes_per_s = int.from_bytes(data[at + 16 : at + 20], "little")
        at += 8 + size + size % 2
    return None


def _mp4_cut(data: Bytes) -> str:
    """Walk the top-level boxes: one that goes on after the end of the file, or no index at all."""
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


def _amr_cut(data: Bytes, name: str) -> str:
    sizes = _AMR_FRAME_BYTES[name]
    at = len(b"#!AMR\n") if name == "amr" else len(b"#!AMR-WB\n")
    while at < len(data):
        at += sizes[data[at] >> 3 & 15]
    return f"{at - len(data)} bytes of the last frame missing" if at > len(data) else ""


def _adts_cut(data: Bytes) -> str:
    at = 0
    while _is_adts(data, at):
        size = (data[at + 3] & 3) << 11 | data[at + 4] << 3 | data[at + 5] >> 5
        if size < 7:
            break
        at += size
    return f"{at - len(data)} bytes of the last frame missing" if at > len(data) else ""
