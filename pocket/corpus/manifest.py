"""The corpus's manifest: one row per utterance."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from voz.pipeline import files


@dataclass(frozen=True, kw_only=True)
class Recording:
    """One row of the manifest. `path` is relative to the corpus folder."""

    id: str
    path: str
    text: str
    voice: str
    accent: str
    role: str
    split: str
    duration_s: float


def write_manifest(folder: Path, rows: list[Recording]) -> None:
    """Write `manifest.jsonl`, sorted by id."""
    lines = [json.dumps(asdict(row), ensure_ascii=False) + "\n" for row in sorted(rows, key=lambda row: row.id)]
    files.write_text(folder / "manifest.jsonl", "".join(lines))


def read_manifest(folder: Path, *, role: str | None = None, split: str | None = None) -> list[Recording]:
    """Rows of `manifest.jsonl`, sorted by id, of one role and one split where they are given."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [Recording(**json.loads(line)) for line in lines]
    return [row for row in rows if role in (None, row.role) and split in (None, row.split)]
