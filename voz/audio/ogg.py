"""Walk an Ogg file page by page, because no decoder reports that one is truncated or damaged (FFmpeg exits 0 on it).

Checked are each page's CRC, the page sequence numbers, the begin and end flags of each stream, and bytes that belong to no page.
Chained files (one stream after the other) are split into their links, since libsndfile reads only the first.
Format: RFC 3533 (Ogg), RFC 7845 (Opus in Ogg), RFC 6716 section 3.1 (duration of an Opus packet).
"""

import mmap
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from voz.audio.faults import DAMAGED, TRUNCATED, Fault, worst_first

CAPTURE = b"OggS"
OPUS_CLOCK_HZ = 48_000  # granule positions of Opus count samples at this rate, whatever the recording's rate
AUDIO_CODECS = {b"OpusHead": "opus", b"\x01vorbis": "vorbis", b"\x7fFLAC": "flac", b"Speex   ": "speex"}
VIDEO, UNKNOWN = "video", "unknown"
_CODECS = AUDIO_CODECS | {b"\x80theora": VIDEO, b"BBCD\0": VIDEO}
_HEADER = struct.Struct("<4sBBqIIIB")  # capture pattern, version, flags, granule position, serial, sequence, CRC, segments
_BEGIN, _END = 2, 4  # bits of the flags
_FLAGS, _CRC = 5, slice(22, 26)  # where these are in the header
_BITS_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

Bytes = bytes | mmap.mmap  # files are mapped, not read, so a note of 3 h takes no memory


@dataclass(frozen=True)
class Page:
    """A page: bytes `[start, end)` of the file. `granule` is -1 if no packet ends on it; `lacing` is the segment table."""

    start: int
    end: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes

    @property
    def payload(self) -> int:
        """Where the page's data begin in the file."""
        return self.start + _HEADER.size + len(self.lacing)

    @property
    def begins(self) -> bool:
        """True if a stream begins with this page."""
        return bool(self.flags & _BEGIN)

    @property
    def ends(self) -> bool:
        """True if a stream ends with this page."""
        return bool(self.flags & _END)


@dataclass
class Link:
    """A part of a chained file: the streams that begin together.

    end: byte after its last good page.
    codec: of its audio stream; VIDEO or UNKNOWN if it has none.
    serials: the serial numbers of all its streams.
    serial: that of its audio stream.
    pages: the good pages of its audio stream.
    head: the first page's data of its audio stream.
    cut_granule: granule position in the header of a page that is cut off; -1 if there is none.
    """

    end: int
    codec: str
    serials: set[int]
    serial: int
    pages: list[Page] = field(default_factory=list)
    head: bytes = b""
    cut_granule: int = -1

    @property
    def ended(self) -> bool:
        """True if the last page carries the end-of-stream flag."""
        return bool(self.pages) and self.pages[-1].ends


@dataclass
class Survey:
    """The links of a file in order, its faults (the worst first), and the number of bytes after its last page."""

    links: list[Link] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    trailing_bytes: int = 0


class OpusLength(NamedTuple):
    """Length of an Opus link: as its granule positions state it, and as its packets add up, both without the pre-skip."""

    stated_s: float
    packets_s: float


def crc(data: bytes) -> int:
    """Ogg's checksum: polynomial 0x04c11db7, not reflected, from 0. Computed by zlib's reflected one, with all bits reversed."""
    reflected = zlib.crc32(data.translate(_BITS_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(reflected.to_bytes(4, "little").translate(_BITS_REVERSED), "big")


def sealed(page: bytes) -> bytes:
    """A page with its checksum computed anew."""
    blank = page[: _CRC.start] + bytes(4) + page[_CRC.stop :]
    return page[: _CRC.start] + crc(blank).to_bytes(4, "little") + page[_CRC.stop :]


def survey(data: Bytes) -> Survey:
    """Walk a whole Ogg file."""
    return _Walk(data).survey()


def opus_length(link: Link, data: Bytes) -> OpusLength:
    """How long an Opus link is. A stream that was cut out of a longer one begins at a granule position > 0, which is not counted."""
    pre_skip = int.from_bytes(link.head[10:12], "little") if len(link.head) >= 12 else 0
    total, begin = 0, None
    for page, samples in _opus_samples_by_page(link, data):
        if begin is None and page.granule >= 0 and samples:
            begin = 0 if page.ends else max(0, page.granule - samples)
        total += samples
    granules = [page.granule for page in link.pages if page.granule >= 0] + [link.cut_granule]
    stated = max(0, max(granules) - (begin or 0) - pre_skip)
    return OpusLength(stated / OPUS_CLOCK_HZ, max(0, total - pre_skip) / OPUS_CLOCK_HZ)


def audio_bytes(link: Link, data: Bytes) -> bytes:
    """An Ogg file of the link's audio stream alone, without its damaged pages.

    The last page gets the end-of-stream flag if it lacks it: without one, libsndfile stops seconds before the end.
    """
    *before, last = (data[page.start : page.end] for page in link.pages)
    if not link.ended:
        last = sealed(last[:_FLAGS] + bytes([last[_FLAGS] | _END]) + last[_FLAGS + 1 :])
    return b"".join([*before, last])


class _Walk:
    """Visits the pages in order, puts them into links, and collects the faults."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.links: list[Link] = []
        self.faults: list[Fault] = []
        self.sequences: dict[int, int] = {}  # of the last page of each stream, by serial number

    def survey(self) -> Survey:
        end = 0
        for page in self.good_pages():
            self.place(page)
            end = page.end
        for number, link in enumerate(self.links, start=1):
            if not link.ended:
                where = f" of part {number}" if len(self.links) > 1 else ""
                self.faults.append(Fault(TRUNCATED, f"no end-of-stream page{where}", link.end))
        trailing_bytes = 0
        if self.links and self.links[-1].ended:  # whatever follows a proper end is not part of the recording
            trailing_bytes = len(self.data) - end
            self.faults = [fault for fault in self.faults if fault.byte < end]
        return Survey(self.links, worst_first(self.faults), trailing_bytes)

    def damage(self, byte: int, text: str) -> None:
        self.faults.append(Fault(DAMAGED, text, byte))

    def good_pages(self) -> Iterator[Page]:
        """Yield the pages whose checksum is right, and note the others as faults."""
        at = 0
        while at < len(self.data):
            if self.data[at : at + 4] != CAPTURE:
                following = self.data.find(CAPTURE, at)
                if following < 0:
                    return
                self.damage(at, f"{following - at} bytes at {at} belong to no page")
                at = following
            page = _read_page(self.data, at)
            if page is not None and page.end <= len(self.data) and _checksum_is_right(self.data, page):
                yield page
                at = page.end
                continue
            following = self.data.find(CAPTURE, at + 4)
            if page is not None and page.end <= len(self.data):
                self.damage(at, f"wrong checksum of the page at byte {at}")
            elif following >= 0:
                self.damage(at, f"page at byte {at} is broken")
            else:
                self.note_cut_page(at, page)
            if following < 0:
                return
            at = following

    def note_cut_page(self, at: int, page: Page | None) -> None:
        """The file ends inside a page. Its header, if complete, still states the granule position at which it would have ended."""
        self.faults.append(Fault(TRUNCATED, f"the file ends inside the page at byte {at}", at))
        if self.links and page is not None and page.serial == self.links[-1].serial:
            self.links[-1].cut_granule = page.granule

    def place(self, page: Page) -> None:
        """Put a page into its link, and check that it is the next one of its stream."""
        if page.begins:
            self.begin_stream(page)
        elif not self.links or page.serial not in self.links[-1].serials:
            self.damage(page.start, f"the page at byte {page.start} belongs to a stream that never began")
            return
        link = self.links[-1]
        expected = self.sequences.get(page.serial, -1) + 1
        if not page.begins and page.sequence != expected:
            gap = f"{page.sequence - expected} pages missing" if page.sequence > expected else "pages out of order"
            self.damage(page.start, f"{gap} before byte {page.start}")
        self.sequences[page.serial] = page.sequence
        link.end = page.end
        if page.serial == link.serial:
            if link.pages and 0 <= page.granule < link.pages[-1].granule:
                self.damage(page.start, f"the granule position of the page at byte {page.start} goes backwards")
            link.pages.append(page)

    def begin_stream(self, page: Page) -> None:
        """A stream begins: of the current link if that has only begun itself, else of a new one."""
        head = self.data[page.payload : page.end]
        codec = next((name for magic, name in _CODECS.items() if head.startswith(magic)), UNKNOWN)
        link = self.links[-1] if self.links else None
        if link is None or len(link.pages) > 1 or link.ended:
            link = Link(page.end, codec, {page.serial}, page.serial, [], head)
            self.links.append(link)
        elif link.codec in (VIDEO, UNKNOWN) and codec not in (VIDEO, UNKNOWN):
            link.codec, link.serial, link.head, link.pages = codec, page.serial, head, []
        link.serials.add(page.serial)


def _read_page(data: Bytes, at: int) -> Page | None:
    """Read the page header at byte `at`; None if it is cut off or is not a page header."""
    if at + _HEADER.size > len(data):
        return None
    _, version, flags, granule, serial, sequence, _, count = _HEADER.unpack_from(data, at)
    lacing = data[at + _HEADER.size : at + _HEADER.size + count]
    if version != 0 or len(lacing) < count:
        return None
    return Page(at, at + _HEADER.size + count + sum(lacing), flags, granule, serial, sequence, lacing)


def _checksum_is_right(data: Bytes, page: Page) -> bool:
    whole = data[page.start : page.end]
    return sealed(whole) == whole


def _opus_samples_by_page(link: Link, data: Bytes) -> Iterator[tuple[Page, int]]:
    """Each page with the samples (at 48 kHz) of the packets that end on it. The two header packets hold none."""
    headers, packet = 2, b""
    for page in link.pages:
        at, samples = page.payload, 0
        for lace in page.lacing:
            if len(packet) < 2:  # the first byte says how long a frame is, the second may say how many there are
                packet += data[at : at + min(lace, 2)]
            at += lace
            if lace < 255:  # the packet ends
                if headers:
                    headers -= 1
                else:
                    samples += _opus_samples(packet)
                packet = b""
        yield page, samples


def _opus_samples(packet: bytes) -> int:
    """Samples at 48 kHz of an Opus packet, from its first two bytes (RFC 6716, 3.1)."""
    if not packet:
        return 0
    config, code = packet[0] >> 3, packet[0] & 3
    if config < 12:
        frame = (480, 960, 1920, 2880)[config & 3]  # SILK: 10, 20, 40, 60 ms
    elif config < 16:
        frame = (480, 960)[config & 1]  # hybrid: 10, 20 ms
    else:
        frame = (120, 240, 480, 960)[config & 3]  # CELT: 2.5, 5, 10, 20 ms
    frames = (1, 2, 2, packet[1] & 63 if len(packet) > 1 else 0)[code]
    return frame * frames
