"""`transcripts.csv` beside the notes: what the phone's own speech recognition wrote.

A hint for a person who reviews; no stage reads it.
"""

from pathlib import Path

from voz.pipeline.files import csv_text, read_table, write_text
from voz.pipeline.language import later

NAME = "transcripts.csv"
HEADER = ["note", "text"]


def read(folder: Path) -> dict[str, str]:
    """The transcripts by note id; empty if there is no file.

    Raises:
        UserError: see `read_table`.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    return dict(read_table(path, HEADER, fix=later("it only holds hints: correct or delete it, then `dvc add` its folder")))


def add(folder: Path, texts: dict[str, str]) -> None:
    """Add transcripts by note id; those that are there stay. Writes only if there is something new."""
    known = read(folder)
    if texts.keys() - known.keys():
        merged = texts | known
        write_text(folder / NAME, csv_text([HEADER, *([note, merged[note]] for note in sorted(merged))]))
