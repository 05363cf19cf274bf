"""The details of the ledgers in the reader's language. The files hold them in English always, because programs read them too.

TEMPLATES has every sentence that a stage writes into a detail; tests/test_details.py compares it with the code.
"""

import functools
import re

from voz.data import reasons
from voz.pipeline.language import later, tr

TEMPLATES = (
    # convert: of any file
    later("zero bytes"),
    later("a playlist, which names other files; it was not followed"),
    later("not a known audio format; it begins with {head}"),
    later("no audio stream in it"),
    later("its codec is unknown"),
    later("headers but no audio"),
    later("its decoder failed: {kind}: {error}"),
    later("a packet could not be decoded: {error}"),
    later("decoding stopped: {error}"),
    later("it states {stated_s} s, but {decoded_s} s were decoded"),
    later("at least {seconds} s missing"),
    later("{count} samples are not finite numbers"),
    later("sample rate of {rate_hz} Hz, expected {least_hz} to {most_hz}"),
    later("more than {count} samples ({hours} h)"),
    later("decoding it takes more than {mib} MiB"),
    later("not finished after {seconds} s"),
    later("the same sound as {name} ({note})"),
    later("a link to {target}; links are not followed"),
    later("not a regular file"),
    later("a pipe"),
    later("a socket"),
    later("a device"),
    later("a folder: {error}"),
    # convert: what the container's framing says
    later("{lost} of {size} bytes missing"),
    later("{lost} bytes of its box {box} missing"),
    later("its index (moov) is missing"),
    later("{lost} bytes of the last frame missing"),
    later("an Ogg file without an audio stream"),
    later("no complete Ogg page"),
    later("no end-of-stream page of part {number}"),
    later("no end-of-stream page"),
    later("the file ends inside the page at byte {at}"),
    later("wrong checksum of the page at byte {at}"),
    later("page at byte {at} is broken"),
    later("{count} bytes at {at} belong to no page"),
    later("the page at byte {at} belongs to a stream that never began"),
    later("{count} pages missing before byte {at}"),
    later("pages out of order before byte {at}"),
    later("the granule position of the page at byte {at} goes backwards"),
    later("its pages count {pages_s} s, its packets last {packets_s} s"),
    later("{count} bytes after the end were ignored"),
    # segment, transcribe
    later("{seconds} s of speech"),
    later("no text"),
    later("longer than the model's window: transcribed in {count} pieces"),
    # curate
    later("cannot be read: {characters}"),
    later("copy of {clip}"),
    later("cut off: {words}"),
    later("not read: {words}"),
)
_PLACEHOLDER = re.compile(r"\\\{(\w+)\\\}")  # as `re.escape` leaves it


def shown(detail: str) -> str:
    """A detail in the current language: sentence by sentence. What no template fits stays as it is: an error of a library, a number."""
    return _said(detail) or "; ".join(_said(part) or part for part in detail.split("; "))


def _said(sentence: str) -> str:
    """A sentence, or the reason codes that curate names beside the first, in the current language; empty if nothing fits."""
    codes = sentence.split(" ")
    if set(codes) <= set(reasons.CODES):
        return ", ".join(tr(code) for code in codes)
    for template, pattern in _patterns():
        match = pattern.fullmatch(sentence)
        if match:
            return tr(template, **match.groupdict()) if match.groupdict() else tr(template)
    return ""


@functools.cache
def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """The templates as patterns. A value holds no "; ", which separates sentences."""
    return [(each, re.compile(_PLACEHOLDER.sub(r"(?P<\1>(?:(?!; ).)+?)", re.escape(each)), re.DOTALL)) for each in TEMPLATES]
