"""Recognise, by its content alone, a file that holds words of a person or a model's weights. Used by `check_private.py`."""

import dataclasses
import json
import re
from collections.abc import Iterator
from typing import Any

from tools.whatsapp import chat, encodings
from voz.data import corrections, origins, phone_transcripts
from voz.pipeline import ledger, records

_TORCH = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"  # how a pickle writes the number with which torch.save began before zip files
_PICKLE = re.compile(rb"\x80[\x02-\x05].{0,32}" + re.escape(_TORCH), re.DOTALL)
_SAFETENSORS = re.compile(rb".{6}\0\0\{\s*\"", re.DOTALL)  # the length of a JSON header, in eight bytes, and its beginning
_WEIGHTS_HEADS = (b"\x93NUMPY", b"GGUF")
_MIN_MESSAGES = 3  # a text with so many lines that read like messages is a chat
_HEADERS = tuple(",".join(each) for each in (corrections.HEADER, origins.HEADER, phone_transcripts.HEADER, ledger.HEADER))
_CLIP_ROW = re.compile(
    r"^\"?[0-9a-f]{12}-\d{7,8}-\d{7,8}\"?[,;|\t]", re.MULTILINE
)  # metadata.csv, corrections, a ledger, without header too
_NOTE_ROW = re.compile(r"^\"?[0-9a-f]{12}\"?[,;|\t]\"?[^\W\d_]", re.MULTILINE)  # transcripts.csv
_KINDS = (records.Note, records.Clip, records.Transcript, records.Example, records.SpokenLine, records.Comparison)
_FIELDS = [{each.name for each in dataclasses.fields(kind) if each.default is dataclasses.MISSING} for kind in _KINDS]
_FIELDS += [{"text", "avg_logprob"}]  # what any Whisper writes


def is_weights(data: bytes) -> bool:
    """True for a checkpoint of torch from before it wrote zip files, safetensors, GGUF, and arrays of numpy."""
    return data.startswith(_WEIGHTS_HEADS) or bool(_PICKLE.match(data) or _SAFETENSORS.match(data))


def is_text(data: bytes) -> bool:
    """True unless it has zeros, other than UTF-16's."""
    return encodings.decode(data[:8192]).encoding.startswith("utf-16") or b"\0" not in data[:8192]


def is_chat(text: str) -> bool:
    """True for an exported WhatsApp chat."""
    return chat.parse(text).messages >= _MIN_MESSAGES


def has_rows(text: str) -> bool:
    """True if a row of one of the pipeline's tables is in the text, or one of its records: words of a person, or what their files are
    called."""
    header, _, rows = text.partition("\n")
    if header.strip().replace(";", ",").replace("\t", ",") in _HEADERS and rows.strip():
        return True
    return bool(_CLIP_ROW.search(text) or _NOTE_ROW.search(text)) or any(map(_is_record, _objects(text)))


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text: of its lines, or of the whole, within others too."""
    whole = [text] if text.lstrip()[:1] in ("{", "[") else []
    for piece in [*whole, *(line for line in text.splitlines() if line.lstrip().startswith("{"))]:
        try:
            value = json.loads(piece.strip().rstrip(","))
        except (ValueError, RecursionError):
            continue
        yield from _within(value)


def _within(value: Any) -> Iterator[dict[str, Any]]:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
        waiting += each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()


def _is_record(values: dict[str, Any]) -> bool:
    """True for the fields of a record of ours, even if others were added; or the id of a note or clip, with words."""
    if any(fields <= values.keys() for fields in _FIELDS):
        return True
    return isinstance(values.get("id"), str) and bool(records.ID.match(values["id"])) and isinstance(values.get("text"), str)
