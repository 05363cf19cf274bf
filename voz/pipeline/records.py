"""The typed records that flow between the stages, one JSON object a line in `manifest.jsonl`.

A bad line names its file, line, field and value. Records are written sorted by `id`, so that bytes do not depend on
the order of work.
"""

import dataclasses
import json
import math
import os
import re
import typing
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

MANIFEST = "manifest.jsonl"
SPLITS = ("train", "eval", "test")
_ID = re.compile(r"[0-9a-f]{12}(-\d{7,8}-\d{7,8})?\Z")  # a note, or a clip of a note: <note>-<start ms>-<end ms>


class BadRecord(ValueError):
    """A record that is not what its type says."""


@dataclass(frozen=True)
class Record:
    """Base of all records: `id` is unique within a manifest."""

    id: str

    def __post_init__(self) -> None:
        for name, kind in typing.get_type_hints(type(self)).items():
            _check(name, getattr(self, name), kind)
        if not _ID.match(self.id):
            raise BadRecord(f"id: {self.id!r} is neither a note's nor a clip's")


@dataclass(frozen=True)
class Note(Record):
    """A converted voice note: `<id>.wav` beside the manifest. `id` = first 12 hex digits of the input file's SHA-256."""

    name: str  # the file's name in the notes folder (several hold the same bytes: the first in sorted order)
    duration_s: float
    format: str  # sniffed: ogg-opus, m4a, mp3, amr, wav, flac, mp4 ...
    source_hz: int  # sample rate of the decoded input
    missing_s: float  # seconds a damaged input lacks (0 unless convert.accept_damaged let it pass)
    date: str = ""  # ISO date, from notes.csv or the name, if known


@dataclass(frozen=True)
class Clip(Record):
    """A stretch of a note: `<id>.wav` beside the manifest."""

    note: str
    start_s: float
    end_s: float
    duration_s: float
    speech_s: float  # seconds of speech inside
    level_db: float  # RMS of the speech, dB below full scale
    noise_db: float  # RMS of the quietest tenth of the frames, same scale
    start_db: float  # 20 ms RMS at the first boundary, same scale
    end_db: float  # 20 ms RMS at the last boundary


@dataclass(frozen=True)
class Transcript(Record):
    """What whisper heard in a clip, with the figures that tell how sure it was."""

    text: str
    avg_logprob: float  # mean log probability per token
    no_speech_prob: float
    compression_ratio: float  # gzip ratio of the text; high means loops
    temperature: float  # the one that passed; 0 = greedy
    language: str
    language_prob: float


@dataclass(frozen=True)
class Example(Record):
    """An accepted clip of the dataset: `wavs/<id>.wav`."""

    note: str
    split: str  # train | eval | test
    text: str  # as the person or whisper wrote it
    normalized: str  # as XTTS reads it
    duration_s: float
    corrected: bool  # a person wrote or approved the text
    scores: dict[str, float]  # one value per filter of curate

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.split not in SPLITS:
            raise BadRecord(f"split: {self.split!r} is none of {SPLITS}")


@dataclass(frozen=True)
class Utterance(Record):
    """A line that was spoken: `file` beside the manifest (`id` = 12 hex digits of the SHA-256 of the text and its occurrence)."""

    text: str
    file: str  # <nn>-<slug>.wav, 24 000 Hz
    duration_s: float
    seed: int
    tries: int  # how often it was spoken; the best was kept
    cer: float  # character error rate of what whisper heard, 0 = as written
    passed: bool  # cer is within synthesize.max_cer
    heard: str


@dataclass(frozen=True)
class Comparison(Record):
    """A test clip beside what base and fine-tuned voice made of its text: `real/`, `base/`, `fine_tuned/<id>.wav` beside the manifest.

    Figures by name, one dict per voice: cer, similarity, mcd_db, f0_mean_hz ... (what could not be measured is not there).
    """

    note: str
    text: str
    heard_real: str
    heard_base: str
    heard_fine_tuned: str
    real: dict[str, float]
    base: dict[str, float]
    fine_tuned: dict[str, float]


R = TypeVar("R", bound=Record)


def read(folder: Path, cls: type[R], *, name: str = MANIFEST) -> list[R]:
    """Read a manifest.

    Raises:
        BadRecord: a line is no JSON or no `cls`; names file, line, field and value.
    """
    path = folder / name
    records: list[R] = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                records.append(cls(**json.loads(line)))
            except (BadRecord, TypeError, json.JSONDecodeError) as error:
                raise BadRecord(f"{path}:{number}: {error}") from error
    doubled = [each for each, count in Counter(r.id for r in records).items() if count > 1]
    if doubled:
        raise BadRecord(f"{path}: id {doubled[0]} occurs twice")
    return records


def write(folder: Path, records: Iterable[Record], *, name: str = MANIFEST) -> None:
    """Write a manifest sorted by id, atomically."""
    ordered = sorted(records, key=lambda r: r.id)
    lines = [json.dumps(dataclasses.asdict(r), ensure_ascii=False, sort_keys=True) + "\n" for r in ordered]
    write_text(folder / name, "".join(lines))


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically: temporary file, fsync, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write metrics: keys in the given order, floats rounded to 6 digits, NaN refused."""
    write_text(path, json.dumps(_rounded(values), indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return round(value, 6) if isinstance(value, float) else value


def _check(name: str, value: Any, kind: Any) -> None:
    if kind is float and type(value) in (int, float):
        ok = math.isfinite(value)
    elif typing.get_origin(kind) is dict:
        ok = isinstance(value, dict) and all(type(v) in (int, float) and math.isfinite(v) for v in value.values())
    else:
        ok = type(value) is kind
    if not ok:
        raise BadRecord(f"{name}: {value!r} is no {getattr(kind, '__name__', kind)}")
