"""`transcripts.csv` beside the notes: what the phone's own speech recognition wrote.

A hint for a person who reviews; no stage reads it.
"""

import csv
from pathlib import Path

from voz.pipeline.command import UserError
from voz.pipeline.files import csv_text, write_text

NAME = "transcripts.csv"
_HEADER = ["note", "text"]


def read(folder: Path) -> dict[str, str]:
    """The transcripts by note id; empty if there is no file.

    Raises:
        UserError: the file is not UTF-8, or a row has not the two columns `note,text`; names the line.
    """
    path = folder / NAME
    if not path.is_file():
        return {}
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.reader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            "{path}: not UTF-8 CSV ({error})",
            "correct it, or delete it: it only holds hints; then `dvc add {folder}`",
            path=path,
            error=error,
            folder=folder,
        ) from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(_HEADER) or (number == 1 and row != _HEADER):
            raise UserError(
                "{path}:{number}: not {header}",
                "correct it, or delete it; then `dvc add {folder}`",
                path=path,
                number=number,
                header=",".join(_HEADER),
                folder=folder,
            )
    return {row[0]: row[1] for row in rows[1:]}


def add(folder: Path, texts: dict[str, str]) -> None:
    """Add transcripts by note id; those that are there stay. Writes only if there is something new."""
    known = read(folder)
    if texts.keys() - known.keys():
        merged = texts | known
        write_text(folder / NAME, csv_text([_HEADER, *([note, merged[note]] for note in sorted(merged))]))
