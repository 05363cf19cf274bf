"""The folder of voice notes: what is in it, what is no file, what was noted beside it.

Links are not followed, pipes and devices not opened. `consent.yaml` and `notes.csv` are no notes. Names never matter,
they are only shown: in a form that a line of text can hold.
"""

import os
import re
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from voz.data import consent, origins
from voz.pipeline import files
from voz.pipeline.command import UserError

_DATED = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)")  # PTT-20260103-WA0001.opus, AUDIO-2026-01-03-10-20-30.m4a


@dataclass(frozen=True)
class Found:
    """An entry of the folder. `name` is unique and printable; `problem` says why it is no file that may be opened."""

    name: str
    path: Path
    problem: str = ""


def find(folder: Path) -> list[Found]:
    """List a folder and its subfolders, sorted by name.

    Raises:
        UserError: no such folder.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no folder of voice notes", "set `notes:` in params.yaml to the folder that holds them")
    found = []
    for top, folders, names in os.walk(folder):
        for name in [*names, *(each for each in folders if Path(top, each).is_symlink())]:
            path = Path(top, name)
            shown = files.printable(str(path.relative_to(folder)))
            if shown not in (consent.NAME, origins.NAME):
                found.append(Found(shown, path, _problem(path)))
    return sorted(found, key=lambda each: each.name)


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading, refusing whatever it may have become since it was listed (a link, a pipe).

    Raises:
        OSError: it is gone, a link, no regular file, or may not be read.
    """
    number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(f"{path} is no regular file")
    return os.fdopen(number, "rb")


def date_of(name: str, known: dict[str, str]) -> str:
    """The ISO date of a note: from `known` (by name: what `notes.csv` says), else from a name as WhatsApp writes it, else empty."""
    match = _DATED.search(Path(name).name)
    return known.get(name) or ("-".join(match.groups()) if match else "")


def _problem(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return f"a link to {files.printable(os.readlink(path))}; links are not followed"
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
    return "" if stat.S_ISREG(mode) else next((kind for test, kind in kinds if test(mode)), "no regular file")
