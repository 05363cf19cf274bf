"""`notes.csv`, which the import writes beside the notes: where each one came from."""

import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from voz.pipeline.files import csv_text, read_table, write_text
from voz.pipeline.language import later

NAME = "notes.csv"
_FILE = re.compile(r"(?:[0-9-]+_)?(?P<id>[0-9a-f]{12})\.[a-z0-9]{3,4}\Z")


@dataclass(frozen=True)
class Origin:
    """One row: the columns of the file in order, all text, empty if unknown."""

    file: str  # its name in the notes folder: <date>_<id>.<ext>
    date: str  # ISO: 2026-05-12T17:45, or the date alone
    sender: str
    original_name: str
    duration_s: str  # of the decoded audio, three decimals; empty if it could not be decoded
    sha256: str  # of the decoded samples, mono PCM16: equal for the same sound in another container

    @property
    def id(self) -> str:
        """The note's id, from the file name; empty if the import did not name the file."""
        match = _FILE.match(self.file)
        return match["id"] if match else ""


HEADER = [field.name for field in fields(Origin)]


def file_name(note_id: str, date: str, extension: str) -> str:
    """The name of an imported note, `2026-05-12_3fa9c1d2e4b5.opus`: it sorts by date and holds nothing from the chat."""
    return f"{date[:10]}_{note_id}{extension}" if date else f"{note_id}{extension}"


def read(folder: Path) -> list[Origin]:
    """Read `notes.csv`; an empty list if there is none.

    Raises:
        UserError: not a UTF-8 CSV, another header, or a row has a different number of columns; names the line.
    """
    path = folder / NAME
    if not path.is_file():
        return []
    return [Origin(*row) for row in read_table(path, HEADER, fix=later("`dvc checkout` restores the file"))]


def write(folder: Path, origins: Iterable[Origin]) -> None:
    """Write `notes.csv` sorted by date, atomically."""
    ordered = sorted(origins, key=lambda origin: (origin.date, origin.file))
    write_text(folder / NAME, csv_text([HEADER, *map(astuple, ordered)]))
