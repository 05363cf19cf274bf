"""What a person decided about clips: a CSV `clip,action,text`, one decision a row, the later row wins.

`text` gives a clip its words and accepts it, `accept` waives the filters, `reject` leaves it out. Rows are keyed by clip
id (note hash and cut times), so they survive a new transcription and a new segmentation of other notes.
"""

import csv
import fcntl
import io
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voz.pipeline.command import UserError
from voz.pipeline.files import write_text

HEADER = ["clip", "action", "text"]
ACTIONS = ("text", "accept", "reject")
_CLIP = re.compile(r"[0-9a-f]{12}-\d{7,8}-\d{7,8}\Z")


@dataclass(frozen=True)
class Correction:
    """A person's last word on a clip."""

    clip: str
    accepted: bool
    text: str  # "" keeps what whisper heard

    @property
    def action(self) -> str:
        """The word for it in the file, one of ACTIONS."""
        return "reject" if not self.accepted else "text" if self.text else "accept"


def read(path: Path) -> dict[str, Correction]:
    """Read a corrections file: the last decision of each clip. `accept` after `text` keeps the text.

    Raises:
        UserError: missing, another header, or a row that is none; names the line.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = list(csv.reader(file))
    except FileNotFoundError as error:
        raise UserError(f"{path}: missing", f"create it with the one line `{','.join(HEADER)}`, or run `make review`") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a UTF-8 CSV ({error})", "save it as CSV UTF-8 with commas") from error
    if not rows or [name.strip() for name in rows[0]] != HEADER:
        raise UserError(f"{path}:1: the first line is {','.join(rows[0]) if rows else 'missing'!r}", f"write `{','.join(HEADER)}`")
    found: dict[str, Correction] = {}
    for number, row in enumerate(rows[1:], start=2):
        if row:
            one = _parse(f"{path}:{number}", row)
            before = found.get(one.clip)
            found[one.clip] = Correction(one.clip, one.accepted, one.text or (before.text if before else ""))
    return found


def write(path: Path, decisions: Iterable[Correction]) -> None:
    """Write a corrections file sorted by clip, atomically."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(HEADER)
    for one in sorted(decisions, key=lambda c: c.clip):
        rows.writerow([one.clip, one.action, one.text])
    write_text(path, text.getvalue())


def decide(path: Path, clip: str, decision: Correction | None) -> dict[str, Correction]:
    """Put one decision (None takes it back) into a corrections file and return what the file holds then.

    The file is read again first, under a lock: what another page, or a person with an editor, wrote meanwhile stays.

    Raises:
        UserError: the file is missing or was made unreadable; nothing is written then.
    """
    with _locked(path.parent):
        found = read(path)
        if decision is None:
            found.pop(clip, None)
        else:
            found[clip] = decision
        write(path, found.values())
    return found


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One writer at a time. The lock is on the folder: the file itself is replaced, and a lock file would lie about."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parse(where: str, row: list[str]) -> Correction:
    if len(row) != len(HEADER):
        raise UserError(f"{where}: {len(row)} columns", "write clip,action,text; a text with a comma stands in double quotes")
    clip, action, text = (cell.strip() for cell in row)
    if not _CLIP.match(clip):
        raise UserError(f"{where}: {clip!r} is no clip id", "copy it from reports/ledger/curate.csv")
    if action not in ACTIONS:
        raise UserError(f"{where}: action {action!r}", f"write one of {', '.join(ACTIONS)}")
    if action == "text" and not text:
        raise UserError(f"{where}: action text without a text", "write the words, or use accept or reject")
    return Correction(clip, action != "reject", " ".join(text.split()))
