"""Read a text whatever program saved it: UTF-8 as phones write it, or UTF-16 and windows-1252 as editors on a computer save it."""

import codecs
from typing import NamedTuple

_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SAMPLE_BYTES = 4096


class Text(NamedTuple):
    """A text, and the encoding that it was in."""

    text: str
    encoding: str


def decode(data: bytes) -> Text:
    """Decode a text. Bytes that its encoding does not have become U+FFFD (UTF-8, UTF-16) or what Latin-1 makes of them."""
    encoding = next((name for bom, name in _BOMS.items() if data.startswith(bom)), _utf16_without_bom(data))
    if encoding:
        return Text(data.decode(encoding, "replace"), encoding.removesuffix("-sig"))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    if broken and broken > sum(not char.isascii() for char in text) - broken:  # a few damaged bytes do not make it another encoding
        return Text(_windows_1252(data), "windows-1252")
    return Text(text, "utf-8")


def _utf16_without_bom(data: bytes) -> str:
    """`utf-16-le` or `utf-16-be` if every other byte of the beginning is mostly zero, as in Western text; else empty."""
    sample = data[:_SAMPLE_BYTES]
    half = len(sample) // 2
    if half and sample[1::2].count(0) > half * 0.6 and sample[::2].count(0) < half * 0.1:
        return "utf-16-le"
    if half and sample[::2].count(0) > half * 0.6 and sample[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return ""


def _windows_1252(data: bytes) -> str:
    """Latin-1 with the characters of Windows between 0x80 and 0x9F; the five bytes that Windows leaves out are Latin-1's."""
    return "".join(bytes([byte]).decode("cp1252", "replace") if 0x80 <= byte <= 0x9F else chr(byte) for byte in data)
