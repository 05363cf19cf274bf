"""What reads strangers' text reads a megabyte of its worst input in seconds: no pattern and no loop of it is quadratic.

The chat's own patterns: tests/test_chat.py. The reader of texts: tests/test_reader.py.
"""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tools.whatsapp import encodings, names
from voz.audio import ogg, sniff
from voz.data import consent, corrections, notes, origins
from voz.pipeline import files, ledger, records
from voz.pipeline.command import UserError

MB = 1 << 20
LIMIT_S = 5.0  # a quadratic pattern takes minutes to days
HEADERS = {
    ledger: "input,item,outcome,reason,start_s,end_s,name,detail\n",
    corrections: "clip,action,text\n",
    origins: "file,date,sender,original_name,duration_s,sha256\n",
}


def seconds(read: Callable[[], object]) -> float:
    """The time that a reader takes to read its input or to refuse it."""
    began = time.process_time()
    try:
        read()
    except UserError as error:
        assert len(str(error)) < 4 * MB
    return time.process_time() - began


@pytest.mark.parametrize(
    "piece", ["[", '{"a":', '"', "0", '{"id": "0123456789ab"}\n', "\n", "\\u0000", " ", '{"id": "' + "0" * 64 + '"}\n']
)
def test_records(piece: str, tmp_path: Path) -> None:
    (tmp_path / records.MANIFEST).write_text(piece * (MB // len(piece)))
    assert seconds(lambda: records.read(tmp_path, records.Note)) < LIMIT_S


@pytest.mark.parametrize("piece", [",", '"', '""', "\n", 'a"', '","', "0123456789ab-0000000-0003000,reject,\n", "\0", " "])
def test_tables(piece: str, tmp_path: Path) -> None:
    for module, header in HEADERS.items():
        path = tmp_path / origins.NAME
        path.write_text(header + piece * (MB // len(piece)), newline="")
        read = functools.partial(module.read, tmp_path if module is origins else path)
        assert seconds(read) < LIMIT_S, module


@pytest.mark.parametrize("piece", ["[", "{", "- ", "a: ", "&a ", "*a ", "? ", "!", "'", "|\n", " ", "#", "a: &a b\n", "1:", "0_"])
def test_consent(piece: str, tmp_path: Path) -> None:
    for size in (consent.MAX_BYTES, MB):
        (tmp_path / consent.NAME).write_text(piece * (size // len(piece)))
        assert seconds(lambda: consent.read(tmp_path)) < LIMIT_S


@pytest.mark.parametrize("piece", ["\u0301\u0316", "a", " ", "~", "+1 ", "\u200d", "(1", "\ufdfa", "\ufe0f", "\x1b", "ﬃ"])
def test_names(piece: str) -> None:
    text = piece * (MB // len(piece))
    for read in (names.plain, names.clean_sender, names.sender_key, names.file_key, names.composed, files.printable):
        assert seconds(lambda read=read: read(text)) < LIMIT_S, read


@pytest.mark.parametrize("piece", ["(1)", " copia", "copy", "1", "20", "2026-01-0", " "])
def test_file_names(piece: str) -> None:
    text = piece * (MB // len(piece))
    assert seconds(lambda: notes.COPY.search(text)) < LIMIT_S
    assert seconds(lambda: notes.date_of(text, {})) < LIMIT_S
    assert seconds(lambda: origins.Origin(text, "", "", "", "", "").id) < LIMIT_S


@pytest.mark.parametrize("piece", [b" ", b"\0", b"\xef\xbb\xbf", b"<?xml", b"<?xml>", b"\xff\xf1", b"OggS", b"\xc3", b"\xff\xfe", b"a\0"])
def test_bytes(piece: bytes) -> None:
    data = piece * (MB // len(piece))
    assert seconds(lambda: sniff.is_playlist(data)) < LIMIT_S
    assert seconds(lambda: encodings.decode(data)) < LIMIT_S
    assert seconds(lambda: ogg.survey(data)) < LIMIT_S
    form = sniff.sniff(data)
    assert form is None or seconds(lambda: sniff.find_truncation(data, form)) < LIMIT_S


@pytest.mark.parametrize("sizes", [0, 255], ids=["empty pages", "full pages"])
@pytest.mark.parametrize("sealed", [True, False])
def test_ogg_pages(sizes: int, sealed: bool) -> None:
    """Pages that overlap or begin in one another make no walk begin again and again."""
    page = b"OggS\0\2" + bytes(8) + b"\1\0\0\0" + bytes(8) + bytes([1, sizes]) + b"OggS\0\0".ljust(sizes, b"\0")[:sizes]
    page = ogg.sealed(page) if sealed else page
    assert seconds(lambda: ogg.survey(page * (MB // len(page)))) < LIMIT_S
