"""`notes.csv`, which the import writes beside the notes. Columns `file,date,sender,original_name,duration_s,sha256`."""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from voz.pipeline.command import UserError
from voz.pipeline.files import write_text

NAME = "notes.csv"
_FILE = re.compile(r"(?:[0-9-]+_)?(?P<id>[0-9a-f]{12})\.[a-z0-9]{3,4}\Z")


@dataclass(frozen=True)
class Origin:
    """Where a note came from. All fields are text; empty where nothing is known."""

    file: str  # its name in the folder: <day>_<id>.<ext>
    date: str  # ISO: 2026-05-12T17:45, or the day alone
    sender: str
    original_name: str
    duration_s: str  # of the decoded sound, three decimals; empty if it could not be decoded
    sha256: str  # of the decoded samples, mono 16 bits: the same sound in another container has the same

    @property
    def id(self) -> str:
        """First 12 hex digits of the file's SHA-256, which every stage calls the note by; "" for a file of another name."""
        match = _FILE.match(self.file)
        return match["id"] if match else ""


def file_name(note_id: str, date: str, extension: str) -> str:
    """The name a note is given, `2026-05-12_3fa9c1d2e4b5.opus`: sorts by day, holds nothing that a chat could choose."""
    return f"{date[:10]}_{note_id}{extension}" if date else f"{note_id}{extension}"


def read(folder: Path) -> list[Origin]:
    """Read `notes.csv`; empty if there is none.

    Raises:
        UserError: another header, or a row of another length; names the line.
    """
    path, names = folder / NAME, [field.name for field in fields(Origin)]
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names) or (number == 1 and row != names):
            raise UserError(f"{path}:{number}: not {','.join(names)}", "`dvc checkout` brings the file back")
    return [Origin(*row) for row in rows[1:]]


def write(folder: Path, origins: Iterable[Origin]) -> None:
    """Write `notes.csv` sorted by date, atomically."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow([field.name for field in fields(Origin)])
    rows.writerows(astuple(each) for each in sorted(origins, key=lambda each: (each.date, each.file)))
    write_text(folder / NAME, text.getvalue())
