"""`forgotten.csv` beside the notes: what `make forget` removed, so that `make notes` does not take it again from an export that has it.

It holds a SHA-256 of the id of each note, and one of the hash of its samples: who has a file can tell whether it was forgotten, and
nothing else. (The id itself would be a trace.)
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from voz.pipeline.files import csv_text, read_table, write_text
from voz.pipeline.language import later

NAME = "forgotten.csv"
HEADER = ["sha256"]


def read(folder: Path) -> set[str]:
    """The hashes (see `hashed`); empty if there is no file.

    Raises:
        UserError: see `read_table`.
    """
    path = folder / NAME
    if not path.is_file():
        return set()
    return {row[0] for row in read_table(path, HEADER, fix=later("`dvc checkout` restores the file"))}


def add(folder: Path, identities: Iterable[str]) -> None:
    """Add notes by their ids, and by the hashes of their samples."""
    hashes = read(folder) | {hashed(identity) for identity in identities}
    write_text(folder / NAME, csv_text([HEADER, *([each] for each in sorted(hashes))]))


def hashed(identity: str) -> str:
    """How the file names a note that has this id or this hash of its samples."""
    return hashlib.sha256(f"forgotten {identity}".encode()).hexdigest()
