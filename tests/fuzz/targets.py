"""What reads strangers' bytes, each as a function that raises an exception only where the product has a fault.

A reader may refuse its input with a `UserError` in one line. What it accepts must keep the promises that are asserted here.
"""

import math
import os
import re
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests import recordings
from tools.whatsapp import chat, encodings, export, names
from voz.audio import ogg, sniff
from voz.data import consent, corrections, origins, phone_transcripts
from voz.pipeline import ledger, records
from voz.pipeline.command import UserError
from voz.text import normalize

_MEMBER_BYTES = 2**20  # members of a zip that state more are only listed
_FOLDER = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if os.path.isdir("/dev/shm") else None))


@dataclass(frozen=True)
class Target:
    """A function that is given any bytes.

    read: the function.
    seeds: inputs to start from.
    modules: whose branches the fuzzer watches.
    max_bytes: longest input.
    share: of the runs that are asked for; less for what takes long.
    """

    read: Callable[[bytes], None]
    seeds: list[bytes]
    modules: tuple[str, ...]
    max_bytes: int = 2048
    share: float = field(default=1.0)


def _ogg(data: bytes) -> None:
    """A walk ends, and counts no byte twice. Checksums are made right in a second walk, or no mutation would get past them."""
    for each in (data, _resealed(data)):
        found = ogg.survey(each)
        assert 0 <= found.trailing_bytes <= len(each)
        assert all(0 <= fault.byte <= len(each) for fault in found.faults)
        for link in found.links:
            assert link.end <= len(each) and link.pages == sorted(link.pages, key=lambda page: page.start)
            if link.codec == "opus":
                assert all(map(math.isfinite, ogg.opus_length(link, each)))


def _resealed(data: bytes) -> bytes:
    parts = re.split(rb"(?=OggS)", data)
    return b"".join(_sealed(part) for part in parts)


def _sealed(part: bytes) -> bytes:
    if len(part) < 27 or not part.startswith(b"OggS"):
        return part
    lacing = part[27 : 27 + part[26]]
    end = 27 + part[26] + sum(lacing)
    return ogg.sealed(part[:end]) + part[end:] if end <= len(part) else part


def _sniff(data: bytes) -> None:
    """Any bytes have a known format or none, and lack a finite length."""
    head = data[: sniff.HEAD_BYTES]
    sniff.is_playlist(head)
    form = sniff.sniff(head)
    if form is not None:
        truncation = sniff.find_truncation(data, form)
        assert truncation is None or (truncation.text and 0 <= truncation.missing_s < math.inf)


def _chat(data: bytes) -> None:
    """Whatever a chat says, a file has a name without a path and a sender in one line."""
    found = chat.parse(encodings.decode(data).text)
    assert len(found.attachments) <= found.messages
    assert len({names.file_key(each.name) for each in found.attachments}) == len(found.attachments)
    for each in found.attachments:
        assert not set(each.name) & set("/\\:\n\0\x1b") and each.name not in (".", "..")
        assert each.sender == names.clean_sender(each.sender) and not set(each.sender + each.text) & set("\n\0\x1b")
        assert re.fullmatch(r"(\d{4}-\d\d-\d\d(T\d\d:\d\d)?)?", each.date)
        assert len(each.text) <= chat.MAX_TEXT_CHARS


def _zip(data: bytes) -> None:
    """A zip's members have names without a path; a damaged member is refused."""
    path = _FOLDER / "chat.zip"
    path.write_bytes(data)
    with _refusals(), export.opened(path) as opened:
        for member in opened.members:
            assert "/" not in member.name and member.name.isprintable()
            if member.size_bytes <= _MEMBER_BYTES:
                with _refusals():
                    assert len(opened.read(member)) <= member.size_bytes
                target = _FOLDER / "member"
                target.unlink(missing_ok=True)
                try:
                    opened.copy(member, target)
                except export.Damaged:
                    assert not target.exists()


def _records(data: bytes) -> None:
    """A manifest that is read is written and read again unchanged."""
    for kind in (records.Note, records.Clip, records.Example, records.SpokenLine, records.Comparison):
        (_FOLDER / "manifest.jsonl").write_bytes(data)
        with _refusals():
            found = records.read(_FOLDER, kind)
            records.write(_FOLDER, found)
            assert records.read(_FOLDER, kind) == sorted(found, key=lambda each: each.id)


def _ledger(data: bytes) -> None:
    """A ledger has rows of text or is refused."""
    path = _FOLDER / "ledger.csv"
    path.write_bytes(data)
    with _refusals():
        ledger.read(path)


def _corrections(data: bytes) -> None:
    """Decisions that are read are written and read again unchanged."""
    path = _FOLDER / "corrections.csv"
    path.write_bytes(data)
    with _refusals():
        found = corrections.read(path)
        corrections.write(path, found.values())
        assert corrections.read(path) == found


def _origins(data: bytes) -> None:
    """`notes.csv` that is read is written and read again unchanged; so is `transcripts.csv`."""
    (_FOLDER / origins.NAME).write_bytes(data)
    with _refusals():
        found = origins.read(_FOLDER)
        origins.write(_FOLDER, found)
        assert sorted(map(str, origins.read(_FOLDER))) == sorted(map(str, found))
        assert all(not each.id or records.ID.match(each.id) for each in found)
    (_FOLDER / phone_transcripts.NAME).write_bytes(data)
    with _refusals():
        phone_transcripts.add(_FOLDER, {"0123456789ab": "hola"})
        assert "0123456789ab" in phone_transcripts.read(_FOLDER)


def _consent(data: bytes) -> None:
    """A consent record that is read is written and read again unchanged."""
    path = _FOLDER / consent.NAME
    path.write_bytes(data)
    with _refusals():
        found = consent.read(path)
        consent.write(path, found)
        assert consent.read(path) == found


def _reader(data: bytes) -> None:
    """Any text becomes letters and plain punctuation, which a second reading keeps."""
    said = normalize.normalize(data.decode("utf-8", "replace"))
    assert not [char for char in said if not (char.isalpha() or char in " .,;:!?¿¡'()-")]
    assert normalize.normalize(said) == said


class _refusals:
    """Within the block, a `UserError` in one line is no fault."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, UserError):
            assert str(error).isprintable() and len(str(error)) < 4096
        return isinstance(error, UserError)


def _pages() -> Iterator[bytes]:
    pages = recordings.pages(recordings.note())
    small = [bytes(page) for page in pages[:2]]
    packet = struct.pack("<4sBBqIIIB", b"OggS", 0, 4, 960, 1, 2, 0, 1) + bytes([3, 8, 1, 2])
    yield b"".join(small)
    yield b"".join([*small, packet, *small])
    yield packet + packet


def _zips() -> Iterator[bytes]:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = _FOLDER / "seed.zip"
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("_chat.txt", CHATS[0])
            archive.writestr("sub/PTT-20230512-WA0001.opus", b"OggS" * 9)
        yield path.read_bytes()


CHATS = [
    b"12/5/23, 17:45 - Ana: PTT-20230512-WA0001.opus (archivo adjunto)\nhola\n13/5/23, 5:45 p. m. - Beto: chau\n",
    "\u200e[12/5/23, 17:45:32] Ana P\u00e9rez: \u200e<adjunto: 00000012-AUDIO-2023-05-12-17-45-32.opus>\r\n".encode(),
    "2023/5/12 \u4e0b\u53485:45 - Ana: a.opus (\u6587\u4ef6\u9644\u4ef6)\n2023. 05. 12. 17:45 - Ana: PTT.opus (x) <y>".encode("utf-16"),
]
_NOTE = b'{"id": "0123456789ab", "name": "a.opus", "duration_s": 1.5, "format": "ogg-opus", "source_hz": 48000, "missing_s": 0.0}\n'
_CLIP = (
    b'{"id": "0123456789ab-0000000-0003000", "note": "0123456789ab", "start_s": 0.0, "end_s": 3.0, "duration_s": 3.0, "speech_s": 2.0,'
    b' "level_db": -20.0, "noise_db": -60.0, "start_db": -50.0, "end_db": -50.0}\n'
)
_EXAMPLE = (
    b'{"id": "0123456789ab-0000000-0003000", "note": "0123456789ab", "split": "train", "text": "hola", "normalized": "hola",'
    b' "duration_s": 3.0, "corrected": true, "scores": {"snr_db": 30.0}}\n'
)
_TEXTS = [
    "Che, ¿½ kilo? 25/5, $1.500,50; 15:30 hs",
    "Dr. Pérez, Av. 9 de Julio 1°, DNI 12.345.678",
    "II Guerra, 3er piso, 10 km/h 😀 xq?",
    "$5 mıl, 12-DİC",
]
TARGETS = {
    "ogg": Target(_ogg, list(_pages()), ("voz.audio.ogg",)),
    "sniff": Target(
        _sniff,
        [
            recordings.wav(recordings.pcm()[:200]),
            recordings.amr(0.2),
            b"\0\0\0\x18ftypM4A \0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x09moov\0",
            b"\xff\xf1\x50\x80\x01\x1f\xfc" * 3,
            b"#EXTM3U\n",
        ],
        ("voz.audio.sniff",),
    ),
    "chat": Target(_chat, CHATS, ("tools.whatsapp.chat", "tools.whatsapp.encodings", "tools.whatsapp.names")),
    "zip": Target(_zip, list(_zips()), ("tools.whatsapp.export", "zipfile")),
    "records": Target(_records, [_NOTE, _CLIP, _EXAMPLE, _NOTE + _CLIP], ("voz.pipeline.records", "voz.pipeline.checked", "json")),
    "ledger": Target(
        _ledger, [b"input,item,outcome,reason,start_s,end_s,name,detail\na,b,accepted,,0.000,1.000,,\n"], ("voz.pipeline.ledger",)
    ),
    "corrections": Target(
        _corrections,
        [b'clip,action,text\n0123456789ab-0000000-0003000,text,"hola, che"\n0123456789ab-0000000-0003000,reject,\n'],
        ("voz.data.corrections",),
    ),
    "origins": Target(
        _origins,
        [
            b"file,date,sender,original_name,duration_s,sha256\n2026-05-12_0123456789ab.opus,2026-05-12T17:45,Ana,PTT.opus,1.500,ff\n",
            b"note,text\n0123456789cd,hola\n",
        ],
        ("voz.data.origins", "voz.data.phone_transcripts"),
    ),
    "consent": Target(
        _consent, [b"speaker: Ana\ndate: 2026-05-12\nstatement: I agree\nscope: private use\n"], ("voz.data.consent", "yaml"), share=0.1
    ),
    "reader": Target(_reader, [text.encode() for text in _TEXTS], ("voz.text",), max_bytes=256, share=0.1),
}
