"""Walk an Ogg file page by page, because no decoder says when one is truncated or damaged (FFmpeg exits 0 on it).

Checked: each page's CRC, the sequence numbers, the begin and end flags of each stream, bytes that belong to no page.
Chained files (one stream after the other) are taken apart into links, since libsndfile reads only the first.
Format: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg), RFC 6716 section 3.1 (how long an Opus packet lasts).
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CAPTURE = b"OggS"
OPUS_CLOCK_HZ = 48_000  # granule positions of Opus count at this rate, whatever the recording's
_HEADER = struct.Struct("<4sBBqIIIB")  # capture, version, flags, granule, serial, sequence, crc, segments
_BEGIN, _END = 2, 4  # bits of the flags
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CODECS = {
    b"OpusHead": "opus",
    b"\x01vorbis": "vorbis",
    b"\x7fFLAC": "flac",
    b"Speex   ": "speex",
    b"\x80theora": "video",
    b"BBCD\0": "video",
}

Bytes = bytes | mmap.mmap  # a file mapped, not read: a 3 h note costs no memory
TRUNCATED, DAMAGED = "truncated", "damaged"


@dataclass(frozen=True)
class Page:
    """One page: `[start, end)` in bytes, `granule` (-1: no packet ends here), `laces` its segment table."""

    start: int
    end: int
    flags: int
    granule: int
    serial: int
    sequence: int
    laces: bytes

    @property
    def body(self) -> int:
        """Where the page's data begin."""
        return self.start + _HEADER.size + len(self.laces)


@dataclass
class Link:
    """One stretch of a chained file: the streams that begin together. `pages` are the good ones of its sound stream."""

    start: int
    end: int
    codec: str
    serials: set[int]
    serial: int
    pages: list[Page] = field(default_factory=list)
    head: bytes = b""
    claimed: int = -1  # granule that a cut-off page states in its header

    @property
    def ended(self) -> bool:
        """True if the last page carries the end-of-stream flag."""
        return bool(self.pages and self.pages[-1].flags & _END)


class Fault(NamedTuple):
    """Something is not whole: a reason code, a sentence, the byte where it shows."""

    code: str
    text: str
    at: int


@dataclass
class Survey:
    """What a walk found. `faults`: the worst first; `trailing` counts bytes after the last page."""

    links: list[Link]
    faults: list[Fault]
    trailing: int


def crc(data: bytes) -> int:
    """Ogg's checksum (polynomial 0x04c11db7, not reflected, from 0), through zlib's reflected one: reverse bits, both ways."""
    reflected = zlib.crc32(data.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_REVERSED), "big")


def survey(data: Bytes) -> Survey:
    """Walk `data`, a whole Ogg file.

    Returns:
        links in order, each with its good pages, and every fault.
    """
    found = Survey(links=[], faults=[], trailing=0)
    last: dict[int, int] = {}
    end = 0
    for page in _pages(data, found):
        _place(page, data, found, last)
        end = page.end
    for number, link in enumerate(found.links, start=1):
        if not link.ended:
            where = f" of part {number}" if len(found.links) > 1 else ""
            found.faults.append(Fault(TRUNCATED, f"no end-of-stream page{where}", link.end))
    if found.links and found.links[-1].ended:  # what follows a true end is no sound of ours, whatever it looks like
        found.trailing = len(data) - end
        found.faults = [fault for fault in found.faults if fault.at < end]
    found.faults.sort(key=lambda fault: fault.code != TRUNCATED)
    return found


def opus_seconds(link: Link, data: Bytes) -> tuple[float, float]:
    """How long an Opus link says it is (by its granules) and how long its packets are, pre-skip taken off.

    Returns:
        (claimed_s, packets_s). A stream that was cut at its start begins at a granule > 0: that offset is no gap.
    """
    pre_skip = int.from_bytes(link.head[10:12], "little") if len(link.head) >= 12 else 0
    lasting, first = 0, None
    for page, samples in _opus_pages(link, data):
        if first is None and page.granule >= 0 and samples:
            first = 0 if page.flags & _END else max(0, page.granule - samples)
        lasting += samples
    granules = [page.granule for page in link.pages if page.granule >= 0] + [link.claimed]
    claimed = max(0, max(granules) - (first or 0) - pre_skip)
    return claimed / OPUS_CLOCK_HZ, max(0, lasting - pre_skip) / OPUS_CLOCK_HZ


def good_bytes(link: Link, data: Bytes) -> bytes:
    """The link's sound stream without the pages that are damaged or belong to another stream.

    The last page gets the end-of-stream flag if it has none: libsndfile gives up seconds before an end without one.
    """
    *before, last = (data[page.start : page.end] for page in link.pages)
    if not link.ended:
        flagged = last[:5] + bytes([last[5] | _END]) + last[6:22] + b"\0\0\0\0" + last[26:]
        last = flagged[:22] + crc(flagged).to_bytes(4, "little") + flagged[26:]
    return b"".join([*before, last])


def _pages(data: Bytes, found: Survey) -> Iterator[Page]:
    """Yield the pages whose checksum holds; note the others as faults."""
    at = 0
    while at < len(data):
        if data[at : at + 4] != CAPTURE:
            following = data.find(CAPTURE, at)
            if following < 0:
                return
            found.faults.append(Fault(DAMAGED, f"{following - at} bytes at {at} belong to no page", at))
            at = following
        page = _page(data, at)
        if page is None or page.end > len(data):
            following = data.find(CAPTURE, at + 4)
            if following < 0:
                _note_cut(page, at, found)
                return
            found.faults.append(Fault(DAMAGED, f"page at byte {at} is broken", at))
            at = following
        elif not _sound(data, page):
            found.faults.append(Fault(DAMAGED, f"wrong checksum of the page at byte {at}", at))
            following = data.find(CAPTURE, at + 4)
            if following < 0:
                return
            at = following
        else:
            yield page
            at = page.end


def _page(data: Bytes, at: int) -> Page | None:
    """Read the page header at `at`; None if it is cut off or no header."""
    if at + _HEADER.size > len(data):
        return None
    _, version, flags, granule, serial, sequence, _, count = _HEADER.unpack_from(data, at)
    laces = data[at + _HEADER.size : at + _HEADER.size + count]
    if version != 0 or len(laces) < count:
        return None
    return Page(at, at + _HEADER.size + count + sum(laces), flags, granule, serial, sequence, laces)


def _sound(data: Bytes, page: Page) -> bool:
    """True if the page's checksum holds."""
    stated = int.from_bytes(data[page.start + 22 : page.start + 26], "little")
    return crc(data[page.start : page.start + 22] + b"\0\0\0\0" + data[page.start + 26 : page.end]) == stated


def _note_cut(page: Page | None, at: int, found: Survey) -> None:
    """The file ends inside a page; its header, if whole, still says where the sound would have gone on to."""
    found.faults.append(Fault(TRUNCATED, f"the file ends inside the page at byte {at}", at))
    if found.links and page is not None and page.serial == found.links[-1].serial:
        found.links[-1].claimed = page.granule


def _place(page: Page, data: Bytes, found: Survey, last: dict[int, int]) -> None:
    """Put a good page into its link and check that none is missing before it."""
    if page.flags & _BEGIN:
        head = data[page.body : page.end]
        codec = next((name for magic, name in _CODECS.items() if head.startswith(magic)), "unknown")
        link = found.links[-1] if found.links else None
        if link is None or link.pages[1:] or (link.pages and link.ended):  # sound has begun already: a new link
            link = Link(page.start, page.end, codec, {page.serial}, page.serial, [], head)
            found.links.append(link)
        elif link.codec in ("video", "unknown") and codec not in ("video", "unknown"):
            link.codec, link.serial, link.head, link.pages = codec, page.serial, head, []
        link.serials.add(page.serial)
    elif not found.links or page.serial not in found.links[-1].serials:
        found.faults.append(Fault(DAMAGED, f"the page at byte {page.start} belongs to a stream that never began", page.start))
        return
    link = found.links[-1]
    expected = last.get(page.serial, -1) + 1
    if not page.flags & _BEGIN and page.sequence != expected:
        gap = f"{page.sequence - expected} pages missing" if page.sequence > expected else "pages out of order"
        found.faults.append(Fault(DAMAGED, f"{gap} before byte {page.start}", page.start))
    last[page.serial] = page.sequence
    link.end = page.end
    if page.serial == link.serial:
        if 0 <= page.granule < max((before.granule for before in link.pages[-1:]), default=0):
            found.faults.append(Fault(DAMAGED, f"the page at byte {page.start} counts backwards", page.start))
        link.pages.append(page)


def _opus_pages(link: Link, data: Bytes) -> Iterator[tuple[Page, int]]:
    """Each page with the samples (at 48 kHz) of the packets that end on it; the two header packets count none."""
    headers, pending = 2, b""
    for page in link.pages:
        at, samples = page.body, 0
        for lace in page.laces:
            if len(pending) < 2:  # the table of contents is the packet's first byte, a frame count its second
                pending += data[at : at + min(lace, 2)]
            at += lace
            if lace < 255:
                if headers:
                    headers -= 1
                else:
                    samples += _opus_samples(pending)
                pending = b""
        yield page, samples


def _opus_samples(packet: bytes) -> int:
    """Samples at 48 kHz of an Opus packet, from its first two bytes (RFC 6716, 3.1)."""
    if not packet:
        return 0
    config, count = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]  # SILK: 10, 20, 40, 60 ms
    elif config < 16:
        frame = (480, 960)[config & 1]  # hybrid: 10, 20 ms
    else:
        frame = (120, 240, 480, 960)[config & 3]  # CELT: 2.5, 5, 10, 20 ms
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[count]
    return frame * frames
