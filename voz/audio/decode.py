"""Turn what a phone wrote into mono samples on disk, block by block, and say what is wrong with it.

libsndfile first, then FFmpeg's libraries (PyAV) with the demuxer that the first bytes ask for and no protocol at all:
a playlist in disguise cannot open another file. Nothing is believed: neither the name, nor a header's length.
"""

import io
import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile

from voz.audio import ogg, sniff
from voz.audio.downmix import MAX_SAMPLES, Mono, Unusable

BLOCK = 1 << 16  # frames decoded at a time: memory does not grow with the note
TOLERANCE_S = 0.15  # stated against decoded length: encoders' delays differ by less
PAGE_S = 1.1  # an Ogg page holds about 1 s, and the last may be trimmed by that much
SCALE = 0.25  # SoX clips float input at 1.0: samples are stored this much smaller, which float32 does not feel

_SNDFILE = ("wav", "flac", "ogg-opus", "ogg-vorbis", "ogg-flac", "aiff", "caf", "mp3")
_OPTIONS = {"protocol_whitelist": "none"}  # FFmpeg may open nothing but the object we hand it

Block = tuple[int, np.ndarray]  # sample rate, float32 [T, C]


@dataclass(frozen=True)
class Sound:
    """What was decoded. `fault` is empty, or the reason code of a file that is not whole; `detail` is for a person."""

    format: str
    rate_hz: int
    samples: int
    scale: float  # the file on disk holds the samples times this
    offset: float  # their mean: what a bad microphone adds
    missing_s: float  # at least so much is lost
    fault: str
    detail: str
    sha256: str  # of the samples as 16 bits: the same for the same sound in another container


@dataclass
class _Source:
    """A file to decode: how to get its blocks, what it states beforehand, and the faults found so far."""

    format: str
    blocks: Callable[[], Iterator[Block]]
    faults: list[tuple[str, str]] = field(default_factory=list)
    stated_s: float | None = None
    missing_s: float = 0.0  # what the container itself shows to be lost
    incomplete: bool = False  # so stated - decoded seconds are missing as well
    remark: str = ""


def decode(path: Path, raw: Path) -> Sound:
    """Decode `path` into `raw`: mono float32, no header, at the file's own rate.

    Channels are averaged; where that cancels the sound (a second microphone wired inverted), the loudest is taken.
    Samples that are no numbers become 0 and count as damage.

    Raises:
        Unusable: no sound comes out: `empty_file`, `playlist`, `not_audio`, `no_audio_stream`, `unreadable`,
            `no_samples`, `too_long`, or the fault that left nothing to decode.
    """
    with open(path, "rb") as file:
        if file.seek(0, io.SEEK_END) == 0:
            raise Unusable("empty_file", "zero bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            source = _open(data, file)
            mono = _write(source, raw, channel=None, scale=SCALE)
            if mono.cancels or mono.peak * SCALE > 1.0:
                source.faults = [fault for fault in source.faults if fault not in mono.faults]
                loudest = int(np.argmax(mono.channels)) if mono.cancels else None
                mono = _write(source, raw, channel=loudest, scale=min(SCALE, 1.0 / mono.peak))
    return _judge(source, mono)


def _open(data: mmap.mmap, file: BinaryIO) -> _Source:
    """Sniff the format, check the container's own framing, choose the decoder."""
    head = data[: sniff.HEAD_BYTES]
    if sniff.is_playlist(head):
        raise Unusable("playlist", "text that points at other files; it was not followed")
    form = sniff.sniff(head)
    if form is None:
        raise Unusable("not_audio", f"begins with {head[:8]!r}")
    if form.demuxer == "ogg":
        return _open_ogg(data, form)
    source = _Source(form.name, lambda: _blocks(file, form.name, form.demuxer, source))
    cut = sniff.cut_off(data, form)
    if cut:
        source.faults.append((sniff.TRUNCATED, cut.text))
        source.incomplete, source.missing_s = True, cut.missing_s
    return source


def _open_ogg(data: mmap.mmap, form: sniff.Format) -> _Source:
    """Walk the pages; each link of a chained file is decoded for itself."""
    found = ogg.survey(data)
    if not found.links:
        raise Unusable("unreadable", found.faults[0].text if found.faults else "no whole Ogg page")
    sounding = [link for link in found.links if link.codec != "video"]
    if not sounding:
        raise Unusable("no_audio_stream", "an Ogg file without sound")

    lengths = [ogg.opus_seconds(link, data) if link.codec == "opus" else None for link in sounding]

    def blocks() -> Iterator[Block]:
        for link, length in zip(sounding, lengths, strict=True):
            there = _blocks(io.BytesIO(ogg.good_bytes(link, data)), f"ogg-{link.codec}", "ogg", source)
            yield from _first(there, length[1]) if length and found.faults else there

    source = _Source(form.name, blocks, [(fault.code, fault.text) for fault in found.faults], incomplete=bool(found.faults))
    if found.trailing:
        source.remark = f"{found.trailing} bytes after the end were ignored"
    opus = [length for length in lengths if length]
    if len(opus) == len(sounding):
        source.stated_s = sum(claimed_s for claimed_s, _ in opus)
        if not found.faults and not any(packets_s for _, packets_s in opus):
            raise Unusable("no_samples", "headers and no sound")
        for claimed_s, packets_s in opus:
            if not found.faults and abs(packets_s - claimed_s) > PAGE_S:
                source.faults.append((ogg.DAMAGED, f"its pages count {claimed_s:.1f} s, its packets last {packets_s:.1f} s"))
    return source


def _first(blocks: Iterator[Block], seconds: float) -> Iterator[Block]:
    """As much as the packets hold: libsndfile fills up with silence what the granules count and pages lack."""
    left_s = seconds
    for rate_hz, block in blocks:
        yield rate_hz, block[: max(0, round(left_s * rate_hz))]
        left_s -= len(block) / rate_hz


def _blocks(file: BinaryIO, name: str, demuxer: str, source: _Source) -> Iterator[Block]:
    """Decode with libsndfile, or with PyAV what libsndfile cannot open."""
    if name in _SNDFILE:
        try:
            file.seek(0)
            opened = soundfile.SoundFile(file)
        except soundfile.LibsndfileError:  # a codec that it lacks, or a damaged header: FFmpeg may know better
            pass
        else:
            yield from _sndfile_blocks(opened, source)
            return
    file.seek(0)
    yield from _av_blocks(file, demuxer, source)


def _sndfile_blocks(opened: soundfile.SoundFile, source: _Source) -> Iterator[Block]:
    with opened:
        if not source.format.startswith("ogg") and 0 < opened.frames < MAX_SAMPLES * 4:  # an Ogg's length comes from its pages
            source.stated_s = opened.frames / opened.samplerate
        while True:
            try:
                block = opened.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                source.faults.append((ogg.DAMAGED, f"decoding stopped: {error}"))
                return
            if not len(block):
                return
            yield opened.samplerate, block


def _av_blocks(file: BinaryIO, demuxer: str, source: _Source) -> Iterator[Block]:
    try:
        container = av.open(file, mode="r", format=demuxer, options=_OPTIONS)
    except av.error.FFmpegError as error:
        raise Unusable(*(source.faults[0] if source.faults else ("unreadable", f"FFmpeg: {error.strerror}"))) from error
    with container:
        if not container.streams.audio:
            raise Unusable("no_audio_stream", "no sound in it")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise Unusable("unreadable", "its codec is unknown")
        stream.codec_context.thread_count = 1
        if demuxer in ("mov", "matroska"):  # raw streams only guess their length
            if stream.duration and stream.time_base:
                source.stated_s = float(stream.duration * stream.time_base)
            elif container.duration:
                source.stated_s = container.duration / av.time_base
        flat = av.AudioResampler(format="fltp")  # planar float, rate and channels untouched
        for frame in _frames(container, stream, source):
            for even in flat.resample(frame):
                yield even.sample_rate, np.ascontiguousarray(even.to_ndarray().T)


def _frames(container: "av.container.InputContainer", stream: "av.AudioStream", source: _Source) -> Iterator["av.AudioFrame"]:
    """Decode packet by packet: a bad one is a fault, not the end."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
            frames = packet.decode() if packet is not None else []
        except av.error.FFmpegError as error:
            source.faults.append((ogg.DAMAGED, f"a packet could not be decoded: {error.strerror}"))
            if len(source.faults) > 100:
                return
            continue
        if packet is None:
            return
        yield from frames


def _write(source: _Source, raw: Path, *, channel: int | None, scale: float) -> Mono:
    """Decode the whole source into `raw`."""
    mono = Mono(channel, scale)
    known = len(source.faults)
    with open(raw, "wb") as out:
        for rate_hz, block in source.blocks():
            out.write(mono.count(mono.mix(rate_hz, block)).tobytes())
        out.write(mono.count(mono.flush()).tobytes())
    mono.faults = source.faults[known:]
    return mono


def _judge(source: _Source, mono: Mono) -> Sound:
    """Compare what came out with what was stated; name the worst fault."""
    seconds = mono.samples / mono.rate_hz if mono.rate_hz else 0.0
    faults, missing_s = list(source.faults), source.missing_s
    short_s = (source.stated_s or 0.0) - seconds
    if short_s > TOLERANCE_S and not faults:
        code = ogg.DAMAGED if source.format.startswith("ogg") else sniff.TRUNCATED
        faults.append((code, f"it states {source.stated_s:.1f} s, {seconds:.1f} s came out"))
        source.incomplete = True
    if mono.bad:
        faults.append((ogg.DAMAGED, f"{mono.bad} samples are no numbers"))
        missing_s += mono.bad / mono.rate_hz
    faults.sort(key=lambda fault: fault[0] != sniff.TRUNCATED)
    if not mono.samples:
        raise Unusable(*(faults[0] if faults else ("no_samples", "headers and no sound")))
    if source.incomplete and short_s > 0 and short_s < MAX_SAMPLES / mono.rate_hz:
        missing_s += short_s
    detail = "; ".join(text for _, text in faults[:2]) or source.remark
    return Sound(
        source.format,
        mono.rate_hz,
        mono.samples,
        mono.scale,
        mono.total / mono.samples,
        missing_s,
        faults[0][0] if faults else "",
        detail,
        mono.digest.hexdigest(),
    )
