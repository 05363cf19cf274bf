"""The folder of voice notes: its files, their ids and dates.

Links are not followed, except those that DVC itself makes into its own cache (`cache.type symlink`); pipes and devices are not
opened. `consent.yaml`, `notes.csv`, `transcripts.csv` and `forgotten.csv` are not notes. A note is identified by its bytes; its file
name is only shown, in printable form, and searched for a date.
"""

import functools
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from voz.data import consent, forgotten, origins, phone_transcripts
from voz.pipeline import files, records
from voz.pipeline.command import UserError

# "nota (1)", "nota - copia", "nota copy 2", "Copia de nota": how file managers name a copy.
COPY = re.compile(r"\(\d+\)$|[ _-](copia|copy|kopie|copie)( ?\(?\d+\)?)?$|^(copia de|copy of|copia|copy)[ _-]", re.IGNORECASE)
_CACHED = re.compile(r"/files/md5/[0-9a-f]{2}/[0-9a-f]{30}\Z")  # of DVC's cache
_DATED = re.compile(r"(20\d\d)-?([01]\d)-?([0-3]\d)")  # PTT-20260103-WA0001.opus, AUDIO-2026-01-03-10-20-30.m4a


@dataclass(frozen=True)
class NoteFile:
    """An entry of the folder."""

    name: str  # path within the folder, printable and unique
    path: Path  # of the bytes; in DVC's cache if DVC made the entry a link
    reason: str = ""  # reason code if it cannot be opened: `link`, `not_a_file`, `unreadable`; empty for a regular file
    problem: str = ""  # the same in words ("a pipe")


def find(folder: Path) -> list[NoteFile]:
    """List a folder and its subfolders, sorted by name.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        raise UserError(
            "{folder}: folder of voice notes not found", "set `notes:` in params.yaml to the folder that holds them", folder=folder
        )
    found = []
    cached = functools.cache(dvc_cache)  # asked only if there are links
    closed: list[OSError] = []
    for parent, folders, names in os.walk(folder, onerror=closed.append):
        linked_folders = [name for name in folders if Path(parent, name).is_symlink()]
        for name in [*names, *linked_folders]:
            path = Path(parent, name)
            shown = files.printable(str(path.relative_to(folder)))
            if shown not in (consent.NAME, origins.NAME, phone_transcripts.NAME, forgotten.NAME):
                found.append(_entry(shown, path, cached))
    for error in closed:
        shown = files.printable(str(Path(error.filename).relative_to(folder)))
        found.append(NoteFile(shown, Path(error.filename), "unreadable", f"a folder: {error.strerror}"))
    return sorted(found, key=lambda each: each.name)


def id_of(path: Path) -> str:
    """The id of a note, from its bytes alone: the first 12 hex digits of the file's SHA-256."""
    return files.hash_file(path)[: records.ID_DIGITS]


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, even if a link or a pipe has replaced it since it was listed.

    Raises:
        OSError: the file is gone, is a link, is not a regular file, or may not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(f"{path} is not a regular file")
    return os.fdopen(descriptor, "rb")


def date_of(name: str, known: dict[str, str]) -> str:
    """The ISO date of a note: from `known` (`notes.csv`, by file name), else from a file name as WhatsApp writes it, else empty."""
    match = _DATED.search(Path(name).name)
    return known.get(name) or ("-".join(match.groups()) if match else "")


def _entry(shown: str, path: Path, cached: Callable[[], Path | None]) -> NoteFile:
    mode = path.lstat().st_mode
    if stat.S_ISREG(mode):
        return NoteFile(shown, path)
    if stat.S_ISLNK(mode):
        target = target_in_cache(path, cached)
        if target is not None:
            return NoteFile(shown, target)
        return NoteFile(shown, path, "link", f"a link to {files.printable(os.readlink(path))}; links are not followed")
    kinds = ((stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"), (stat.S_ISCHR, "a device"), (stat.S_ISBLK, "a device"))
    return NoteFile(shown, path, "not_a_file", next((kind for test, kind in kinds if test(mode)), "not a regular file"))


def target_in_cache(link: Path, cached: Callable[[], Path | None]) -> Path | None:
    """The object of DVC's cache that a link of DVC's leads to; None for a link to anything else.

    Args:
        cached: gives the folder of the cache, see `dvc_cache`. Asked only if the link looks like DVC's.
    """
    target = Path(os.path.realpath(link))
    return target if _CACHED.search(str(target)) and target.parent.parent == cached() else None


def dvc_cache() -> Path | None:
    """The folder in which DVC keeps the files of this checkout by their hashes; None without DVC."""
    root = Path(os.environ.get("DVC_ROOT", "."))
    if not (root / ".dvc").is_dir():
        return None
    from dvc.repo import Repo  # takes a second

    with Repo(root) as repo:
        return Path(os.path.realpath(repo.cache.local.path))
