"""Decode what a phone wrote into mono samples on disk, block by block, and report what is wrong with it.

libsndfile decodes what it can open, FFmpeg's libraries (PyAV) the rest. FFmpeg gets the demuxer that the first bytes call for and
may use no protocol, so a playlist in disguise cannot open another file. Neither file names nor stated lengths are trusted.
"""

import errno
import io
import mmap
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile

from voz.audio import ogg, sniff
from voz.audio.downmix import MAX_SAMPLES, Downmix
from voz.audio.faults import DAMAGED, TRUNCATED, Fault, Unusable, worst_first

LIMIT_S = 600.0  # longest time for one file; a note of 4 h takes about 90 s
BLOCK = 1 << 16  # samples per channel decoded at a time, so that memory does not grow with the note
TOLERANCE_S = 0.15  # decoded length under stated length: encoder delays make smaller differences
PAGE_S = 1.1  # an Ogg page holds about 1 s, and the last one may be trimmed by that much
SCALE = 0.25  # SoX clips float input at 1.0, so samples are stored scaled down; a power of two costs float32 no precision

_SNDFILE = ("wav", "flac", "ogg-opus", "ogg-vorbis", "ogg-flac", "aiff", "caf", "mp3")
_OPTIONS = {"protocol_whitelist": "none"}  # FFmpeg may read only the file object that it is given
_MAX_FAULTS = 100  # of one file; FFmpeg may fail on every packet

# What the libraries and our own readers raise on files that nobody foresaw. A fault of the machine (OSError, MemoryError) is none of these.
_DECODER_ERRORS = (
    av.error.FFmpegError,
    soundfile.SoundFileError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)

Block = tuple[int, np.ndarray]  # sample rate in Hz, float32 [T, C]


@dataclass(frozen=True)
class DecodedAudio:
    """What a file held.

    format: as in the manifest, e.g. `ogg-opus`.
    rate_hz, samples: rate and length of the mono signal.
    scale: the samples on disk are the decoded ones times this.
    offset: mean of the decoded samples: the DC offset of a bad microphone.
    missing_s: how much is lost, at least.
    fault: reason code of a file that is not complete, else empty.
    detail: a sentence for the user.
    sha256: hash of the samples rounded to 16 bits: the same audio in another container has the same.
    """

    format: str
    rate_hz: int
    samples: int
    scale: float
    offset: float
    missing_s: float
    fault: str
    detail: str
    sha256: str


@dataclass
class _Findings:
    """What is known of a file: first from its container, then also from decoding it.

    stated_s: length that the file states.
    missing_s: how much is lost according to the container's framing.
    incomplete: a part is lost, so if less than `stated_s` is decoded, the difference is lost as well.
    remark: a sentence for the user about a file without a fault.
    """

    faults: list[Fault]
    stated_s: float | None = None
    missing_s: float = 0.0
    incomplete: bool = False
    remark: str = ""


@dataclass
class _Source:
    """A file to decode. `blocks` decodes it from its start and adds what it finds to the findings that it is given."""

    format: str
    findings: _Findings
    blocks: Callable[[_Findings], Iterator[Block]]


def decode(path: Path, raw: Path) -> DecodedAudio:
    """Decode `path` into `raw`: mono float32 without a header, at the file's own rate.

    Channels are averaged; where that would cancel the sound (a second microphone wired inverted), the loudest is taken. Samples
    that are not finite numbers become 0 and count as damage.

    Raises:
        Unusable: no audio comes out: `empty_file`, `playlist`, `not_audio`, `no_audio_stream`, `unreadable`, `no_samples`,
            `too_long`, or the fault that left nothing to decode.
    """
    try:
        return _decode(path, raw)
    except MemoryError:  # before the others: FFmpeg's is one of both kinds
        raise
    except _DECODER_ERRORS as error:
        raise Unusable("unreadable", f"its decoder failed: {type(error).__name__}: {error}") from error


def _decode(path: Path, raw: Path) -> DecodedAudio:
    with open(path, "rb") as file:
        if file.seek(0, io.SEEK_END) == 0:
            raise Unusable("empty_file", "zero bytes")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            source = _open(data, file)
            downmix, findings = _decode_into(raw, source, channel=None, scale=SCALE)
            peak = downmix.channel_peak if downmix.cancels else downmix.peak
            if downmix.cancels or peak * SCALE > 1.0:
                loudest = downmix.loudest if downmix.cancels else None
                downmix, findings = _decode_into(raw, source, channel=loudest, scale=min(SCALE, 1.0 / peak))
    return _assess(source.format, downmix, findings)


def _open(data: mmap.mmap, file: BinaryIO) -> _Source:
    """Recognise the format, check the container's framing, choose the decoder."""
    head = data[: sniff.HEAD_BYTES]
    if sniff.is_playlist(head):
        raise Unusable("playlist", "a playlist, which names other files; it was not followed")
    form = sniff.sniff(head)
    if form is None:
        raise Unusable("not_audio", f"not a known audio format; it begins with {head[:8]!r}")
    if form.demuxer == "ogg":
        return _open_ogg(data, form)
    findings = _Findings([])
    truncation = sniff.find_truncation(data, form)
    if truncation:
        findings = _Findings([Fault(TRUNCATED, truncation.text)], missing_s=truncation.missing_s, incomplete=True)
    return _Source(form.name, findings, lambda findings: _blocks(file, form.name, form.demuxer, findings))


def _open_ogg(data: mmap.mmap, form: sniff.Format) -> _Source:
    """Check the pages. Each link of a chained file is decoded by itself."""
    survey = ogg.survey(data)
    if not survey.links:
        raise Unusable("unreadable", survey.faults[0].text if survey.faults else "no complete Ogg page")
    links = [link for link in survey.links if link.codec != ogg.VIDEO]
    if not links:
        raise Unusable("no_audio_stream", "an Ogg file without an audio stream")
    findings = _Findings(list(survey.faults), incomplete=bool(survey.faults))
    if survey.trailing_bytes:
        findings.remark = f"{survey.trailing_bytes} bytes after the end were ignored"
    lengths = [ogg.opus_length(link, data) if link.codec == "opus" else None for link in links]
    known = [length for length in lengths if length]
    if len(known) == len(links):
        _compare_opus_lengths(known, findings)

    def blocks(findings: _Findings) -> Iterator[Block]:
        for link, length in zip(links, lengths, strict=True):
            decoded = _blocks(io.BytesIO(ogg.audio_bytes(link, data)), f"ogg-{link.codec}", "ogg", findings)
            yield from _first(decoded, length.packets_s) if length and survey.faults else decoded

    return _Source(form.name, findings, blocks)


def _compare_opus_lengths(lengths: list[ogg.OpusLength], findings: _Findings) -> None:
    """Note the stated length. In a file without other faults, it must match the packets."""
    findings.stated_s = sum(length.stated_s for length in lengths)
    if findings.faults:
        return
    if not any(length.packets_s for length in lengths):
        raise Unusable("no_samples", "headers but no audio")
    for stated_s, packets_s in lengths:
        if abs(packets_s - stated_s) > PAGE_S:
            findings.faults.append(Fault(DAMAGED, f"its pages count {stated_s:.1f} s, its packets last {packets_s:.1f} s"))


def _first(blocks: Iterator[Block], seconds: float) -> Iterator[Block]:
    """The first `seconds` of the blocks: where pages are missing, libsndfile appends silence up to the last granule position."""
    left_s = seconds
    for rate_hz, block in blocks:
        yield rate_hz, block[: max(0, round(left_s * rate_hz))]
        left_s -= len(block) / rate_hz


def _blocks(file: BinaryIO, name: str, demuxer: str, findings: _Findings) -> Iterator[Block]:
    """Decode with libsndfile, or with PyAV what libsndfile cannot open."""
    opened = _opened_by_sndfile(file) if name in _SNDFILE else None
    if opened is not None:
        yield from _sndfile_blocks(opened, name, findings)
        return
    file.seek(0)
    yield from _av_blocks(file, demuxer, findings)


def _opened_by_sndfile(file: BinaryIO) -> soundfile.SoundFile | None:
    """The file as libsndfile reads it; None for a codec that it lacks or a damaged header, which FFmpeg may still read."""
    file.seek(0)
    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError:
        return None


def _sndfile_blocks(opened: soundfile.SoundFile, name: str, findings: _Findings) -> Iterator[Block]:
    with opened:
        if not name.startswith("ogg") and 0 < opened.frames < MAX_SAMPLES * 4:  # an Ogg file's length comes from its pages
            findings.stated_s = opened.frames / opened.samplerate
        while True:
            try:
                block = opened.read(BLOCK, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as error:
                findings.faults.append(Fault(DAMAGED, f"decoding stopped: {error}"))
                return
            if not len(block):
                return
            yield opened.samplerate, block


def _av_blocks(file: BinaryIO, demuxer: str, findings: _Findings) -> Iterator[Block]:
    try:
        with _seek_errors_as_damage():
            container = av.open(file, mode="r", format=demuxer, options=_OPTIONS, metadata_errors="replace")  # some are Latin-1
    except av.error.FFmpegError as error:
        code, text, _ = findings.faults[0] if findings.faults else Fault("unreadable", f"FFmpeg: {error.strerror}")
        raise Unusable(code, text) from error
    with container:
        if not container.streams.audio:
            raise Unusable("no_audio_stream", "no audio stream in it")
        stream = container.streams.audio[0]
        if stream.codec_context is None:
            raise Unusable("unreadable", "its codec is unknown")
        stream.codec_context.thread_count = 1
        if demuxer in ("mov", "matroska"):  # the length of a raw stream is only a guess
            if stream.duration and stream.time_base:
                findings.stated_s = float(stream.duration * stream.time_base)
            elif container.duration:
                findings.stated_s = container.duration / av.time_base
        to_planar_float = av.AudioResampler(format="fltp")  # rate and channels stay
        for frame in _frames(container, stream, findings):
            for converted in to_planar_float.resample(frame):
                yield converted.sample_rate, np.ascontiguousarray(converted.to_ndarray().T)


def _frames(container: "av.container.InputContainer", stream: "av.AudioStream", findings: _Findings) -> Iterator["av.AudioFrame"]:
    """Decode packet by packet: one that cannot be decoded is noted as a fault, and the next is tried."""
    packets = container.demux(stream)
    while True:
        try:
            with _seek_errors_as_damage():
                packet = next(packets, None)
                frames = packet.decode() if packet is not None else []
        except av.error.FFmpegError as error:
            findings.faults.append(Fault(DAMAGED, f"a packet could not be decoded: {error.strerror}"))
            if len(findings.faults) > _MAX_FAULTS:
                return
            continue
        if packet is None:
            return
        yield from frames


@contextmanager
def _seek_errors_as_damage() -> Iterator[None]:
    """Raise an FFmpegError where a damaged header made FFmpeg seek to a position before the file's start."""
    try:
        yield
    except OSError as error:
        if isinstance(error, av.error.FFmpegError) or error.errno != errno.EINVAL:
            raise
        raise av.error.InvalidDataError(errno.EINVAL, "seek out of range") from error


def _decode_into(raw: Path, source: _Source, *, channel: int | None, scale: float) -> tuple[Downmix, _Findings]:
    """Decode the whole source into `raw`; see `Downmix` for `channel` and `scale`."""
    downmix = Downmix(channel, scale)
    findings = replace(source.findings, faults=list(source.findings.faults))
    with open(raw, "wb") as out:
        for rate_hz, block in source.blocks(findings):
            out.write(downmix.add(rate_hz, block).tobytes())
        out.write(downmix.finish().tobytes())
    return downmix, findings


def _assess(name: str, downmix: Downmix, findings: _Findings) -> DecodedAudio:
    """Compare the decoded with the stated length, and name the worst fault."""
    decoded_s = downmix.samples / downmix.rate_hz if downmix.rate_hz else 0.0
    short_s = (findings.stated_s or 0.0) - decoded_s
    faults, missing_s, incomplete = list(findings.faults), findings.missing_s, findings.incomplete
    if short_s > TOLERANCE_S and not faults:
        code = DAMAGED if name.startswith("ogg") else TRUNCATED
        faults.append(Fault(code, f"it states {findings.stated_s:.1f} s, but {decoded_s:.1f} s were decoded"))
        incomplete = True
    if downmix.non_finite:
        faults.append(Fault(DAMAGED, f"{downmix.non_finite} samples are not finite numbers"))
        missing_s += downmix.non_finite / downmix.rate_hz
    faults = worst_first(faults)
    if not downmix.samples:
        code, text, _ = faults[0] if faults else Fault("no_samples", "headers but no audio")
        raise Unusable(code, text)
    if incomplete and 0 < short_s < MAX_SAMPLES / downmix.rate_hz:
        missing_s += short_s
    return DecodedAudio(
        format=name,
        rate_hz=downmix.rate_hz,
        samples=downmix.samples,
        scale=downmix.scale,
        offset=downmix.mean,
        missing_s=missing_s,
        fault=faults[0].code if faults else "",
        detail="; ".join(fault.text for fault in faults[:2]) or findings.remark,
        sha256=downmix.sha256,
    )
