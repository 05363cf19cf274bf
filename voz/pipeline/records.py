"""The typed records that flow between the stages, one JSON object a line in `manifest.jsonl`.

A bad line names its file, line, field and value. Records are written sorted by `id`, so that bytes do not depend on
the order of work.
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
from voz.pipeline.checked import complaint, record

MANIFEST = "manifest.jsonl"
Split = Literal["train", "eval", "test"]
SPLITS: tuple[Split, ...] = ("train", "eval", "test")
VOICES = ("real", "base", "fine_tuned")  # of a Comparison: the recording, and the two models that speak its text
DIFFERENCE = "difference"  # fine-tuned minus base, line by line
_ID = re.compile(r"[0-9a-f]{12}(-\d{7,8}-\d{7,8})?\Z")  # a note, or a clip of a note: <note>-<start ms>-<end ms>


class BadRecord(ValueError):
    """A record that is not what its type says."""


@record
class Record:
    """Base of all records: `id` is unique within a manifest."""

    id: str

    @field_validator("id")
    @classmethod
    def _is_id(cls, value: str) -> str:
        if not _ID.match(value):
            raise ValueError(f"{value!r} is the id of no note and no clip")
        return value


@record
class Note(Record):
    """A converted voice note: `<id>.wav` beside the manifest. `id` = first 12 hex digits of the input file's SHA-256."""

    name: str  # the file's name in the notes folder (several hold the same bytes: the first in sorted order)
    duration_s: float
    format: str  # sniffed: ogg-opus, m4a, mp3, amr, wav, flac, mp4 ...
    source_hz: int  # sample rate of the decoded input
    missing_s: float  # seconds a damaged input lacks (0 unless convert.accept_damaged let it pass)
    date: str = ""  # ISO date, from notes.csv or the name, if known


@record
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


@record
class Transcript(Record):
    """Whisper's text of a clip, with its confidence."""

    text: str
    avg_logprob: float  # mean log probability per token
    no_speech_prob: float
    compression_ratio: float  # gzip ratio of the text; high means loops
    temperature: float  # of the try that passed, or of the last one; 0 = greedy
    language: str
    language_prob: float


@record
class Example(Record):
    """An accepted clip of the dataset: `wavs/<id>.wav`."""

    note: str
    split: Split
    text: str  # as the person or whisper wrote it
    normalized: str  # as XTTS reads it
    duration_s: float
    corrected: bool  # a person wrote or approved the text
    scores: dict[str, float]  # one value per filter of curate


@record
class SpokenLine(Record):
    """A line that the voice spoke: `file` beside the manifest (`id` = 12 hex digits of the SHA-256 of the text and its occurrence)."""

    text: str
    file: str  # <nn>-<slug>.wav, 24 000 Hz
    duration_s: float
    seed: int
    tries: int  # how often it was spoken; the best try was kept
    cer: float  # character error rate of Whisper's transcript, 0 = as written
    passed: bool  # cer is at most synthesize.max_cer
    heard: str  # Whisper's transcript


@record
class Comparison(Record):
    """A line of the test split: the recording, and its text in the base's and the fine-tuned voice.

    `real/`, `base/` and `fine_tuned/<id>.wav` beside the manifest; `heard_...`: Whisper's transcripts. Figures by name, one dict per
    voice: cer, similarity, mcd_db, f0_mean_hz ...; a figure that cannot be measured is left out.
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
        BadRecord: a line is not JSON or not a `cls`; names file, line, field and value.
    """
    path = folder / name
    records: list[R] = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                records.append(cls(**json.loads(line)))
            except ValidationError as error:
                raise BadRecord(f"{path}:{number}: {': '.join(filter(None, complaint(error)))}") from error
            except (TypeError, json.JSONDecodeError) as error:
                raise BadRecord(f"{path}:{number}: {error}") from error
    doubled = [each for each, count in Counter(r.id for r in records).items() if count > 1]
    if doubled:
        raise BadRecord(f"{path}: id {doubled[0]} occurs twice")
    return records


def write(folder: Path, records: Iterable[Record], *, name: str = MANIFEST) -> None:
    """Write a manifest sorted by id, atomically."""
    ordered = sorted(records, key=lambda r: r.id)
    lines = [json.dumps(dataclasses.asdict(r), ensure_ascii=False, sort_keys=True) + "\n" for r in ordered]
    files.write_text(folder / name, "".join(lines))
