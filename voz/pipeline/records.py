"""The typed records that flow between the stages: `manifest.jsonl`, one JSON object per line.

The error for a bad line names the file, the line, the field and the value. Records are written sorted by `id`, so that
the bytes do not depend on the order of the work.
"""

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import ValidationError, field_validator

from voz.pipeline import files
from voz.pipeline.checked import first_error, record
from voz.pipeline.command import UserError
from voz.pipeline.language import later

MANIFEST = "manifest.jsonl"
Split = Literal["train", "eval", "test"]
SPLITS: tuple[Split, ...] = ("train", "eval", "test")
VOICES = ("real", "base", "fine_tuned")  # of a Comparison: the recording, and the two models that speak its text
DIFFERENCE = "difference"  # fine-tuned minus base, line by line
FROM_REAL = {"base": "base_from_real", "fine_tuned": "fine_tuned_from_real"}  # a voice minus the recordings, line by line
ID_DIGITS = 12  # hex digits of a note's id
ID = re.compile(r"(?P<note>[0-9a-f]{12})(?P<cut>-\d{7,8}-\d{7,8})?\Z")  # of a note; of a clip: <note>-<start ms>-<end ms>


class BadRecord(UserError):
    """A manifest with a record that has a missing, unknown or invalid field."""

    def __init__(self, what: str, fix: str = later("`dvc checkout` restores the file, `dvc repro` writes it again")) -> None:
        super().__init__(what, fix)


@record
class Record:
    """Base of all records: `id` is unique within a manifest."""

    id: str

    @field_validator("id")
    @classmethod
    def _is_id(cls, value: str) -> str:
        if not ID.match(value):
            raise ValueError(f"{value!r} is not the id of a note or a clip")
        return value


@record
class Note(Record):
    """A converted voice note: `<id>.wav` beside the manifest. `id` = first 12 hex digits of the input file's SHA-256."""

    name: str  # the file's name in the notes folder; of several files with the same sound, the original (stages.convert.preference)
    duration_s: float
    format: str  # what the bytes are, whatever the extension says: ogg-opus, m4a, mp3, amr, wav, flac, mp4 ...
    source_hz: int  # sample rate of the decoded input
    missing_s: float  # seconds that a damaged input lacks (above 0 only with convert.accept_damaged)
    date: str = ""  # ISO date, from notes.csv or from the file name; empty if unknown


@record
class Clip(Record):
    """A stretch of a note: `<id>.wav` beside the manifest."""

    note: str
    start_s: float
    end_s: float
    duration_s: float
    speech_s: float  # seconds of speech in the clip
    level_db: float  # RMS of the speech, dBFS
    noise_db: float  # RMS of the quietest tenth of the frames, dBFS
    start_db: float  # RMS of the 20 ms around the clip's start, dBFS
    end_db: float  # RMS of the 20 ms around the clip's end, dBFS


@record
class Transcript(Record):
    """Whisper's transcription of a clip, with its confidence figures."""

    text: str
    avg_logprob: float  # mean log probability per token
    no_speech_prob: float
    compression_ratio: float  # of the text, by gzip; high where Whisper repeats itself
    temperature: float  # at which the text was accepted; 0 = greedy decoding
    language: str
    language_prob: float


@record
class Example(Record):
    """An accepted clip of the dataset: `wavs/<id>.wav`."""

    note: str
    split: Split
    text: str  # as a person or Whisper wrote it
    normalized: str  # as it is given to XTTS: numbers and abbreviations in words
    duration_s: float
    corrected: bool  # True if a person wrote or approved the text
    scores: dict[str, float]  # one value per filter of the curate stage


@record
class SpokenLine(Record):
    """A synthesised line: `file` beside the manifest. `id` = first 12 hex digits of the SHA-256 of the text and its occurrence."""

    text: str
    normalized: str  # as it was read
    file: str  # <nn>-<slug>.wav, 24 000 Hz
    duration_s: float
    seed: int
    tries: int  # how many times it was synthesised; the best try was kept
    cer: float  # character error rate of Whisper's transcription; 0 = as written
    passed: bool  # True if it has no fault
    heard: str  # Whisper's transcription
    faults: list[str]  # of the try that was kept: too_short, too_long, noise, full_stop_read, misheard
    dropped: list[str]  # faults of the other tries
    cut_s: float  # seconds of noise after the words that were cut off
    watermark: str  # perth | none
    watermark_confidence: float  # with which the mark is found again in the file, 0 to 1; 0 without one


@record
class Comparison(Record):
    """A test clip compared with its text as synthesised by the base and by the fine-tuned voice.

    Audio beside the manifest: `real/<id>.wav`, `base/<id>.wav`, `fine_tuned/<id>.wav`. `heard_*` is Whisper's transcription
    of each. `real`, `base` and `fine_tuned` hold the figures by name (cer, similarity, mcd_db, f0_mean_hz ...); a figure that
    could not be measured is absent.
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
        BadRecord: a line is not UTF-8, not JSON or not a valid `cls` (names file, line, field and value), or an id occurs twice.
        UserError: there is no manifest.
    """
    path = folder / name
    records: list[R] = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise UserError("{path}: missing", "run `dvc repro`, or `dvc pull`", path=path) from error
    for number, line in enumerate(lines, start=1):
        try:
            records.append(cls(**json.loads(line.decode("utf-8"))))
        except ValidationError as error:
            raise BadRecord(f"{path}:{number}: {': '.join(filter(None, first_error(error)))}") from error
        except (TypeError, ValueError, RecursionError) as error:
            raise BadRecord(f"{path}:{number}: {error}") from error
    repeated = [record_id for record_id, count in Counter(r.id for r in records).items() if count > 1]
    if repeated:
        raise BadRecord(f"{path}: id {repeated[0]} occurs twice")
    return records


def write(folder: Path, records: Iterable[Record], *, name: str = MANIFEST) -> None:
    """Write a manifest sorted by id, atomically."""
    ordered = sorted(records, key=lambda r: r.id)
    lines = [json.dumps(dataclasses.asdict(r), ensure_ascii=False, sort_keys=True) + "\n" for r in ordered]
    files.write_text(folder / name, "".join(lines))
