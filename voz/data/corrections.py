"""A person's decisions about clips: a CSV with the columns `clip,action,text`, one decision per row; the last row of a clip decides.

`text` sets the clip's words and accepts it, `accept` keeps the clip whatever the filters say, `reject` leaves it out. A clip's
id is made of the note's hash and the cut times, so a decision survives a new transcription and changes to other notes.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voz.pipeline import files, records
from voz.pipeline.command import UserError
from voz.pipeline.files import csv_text, read_csv, write_text

HEADER = ["clip", "action", "text"]
ACTIONS = ("text", "accept", "reject")


@dataclass(frozen=True)
class Correction:
    """A person's decision about a clip."""

    clip: str
    accepted: bool
    text: str  # empty: keep Whisper's transcription

    @property
    def action(self) -> str:
        """The `action` column of the file, one of ACTIONS."""
        return "reject" if not self.accepted else "text" if self.text else "accept"


def read(path: Path) -> dict[str, Correction]:
    """Read a corrections file: the last decision about each clip. `accept` after `text` keeps the text.

    Raises:
        UserError: the file is missing or not checked out, has another header or an invalid row; names the line.
    """
    if not path.is_file() and files.dvc_pointer(path).is_file():  # a new file in its place would hide the decisions that DVC has
        raise UserError(
            "{path}: DVC tracks it, but it is not checked out",
            "`dvc checkout {path}.dvc` restores it, `dvc pull {path}.dvc` fetches it",
            path=path,
        )
    if not path.is_file():
        raise UserError(
            "{path}: missing", "create it with the one line `{header}`, or run `make review`", path=path, header=",".join(HEADER)
        )
    rows = read_csv(path)
    if not rows or [name.strip() for name in rows[0]] != HEADER:
        raise UserError(
            "{path}:1: the first line is {found!r}",
            "write `{header}`",
            path=path,
            found=",".join(rows[0]) if rows else "missing",
            header=",".join(HEADER),
        )
    decisions: dict[str, Correction] = {}
    for number, row in enumerate(rows[1:], start=2):
        if row:
            decision = _parse(f"{path}:{number}", row)
            earlier = decisions.get(decision.clip)
            text = decision.text or (earlier.text if earlier else "")
            decisions[decision.clip] = Correction(decision.clip, decision.accepted, text)
    return decisions


def write(path: Path, decisions: Iterable[Correction]) -> None:
    """Write a corrections file sorted by clip, atomically."""
    ordered = sorted(decisions, key=lambda decision: decision.clip)
    write_text(path, csv_text([HEADER, *([each.clip, each.action, each.text] for each in ordered)]))


def decide(path: Path, clip: str, revise: Callable[[Correction | None], Correction | None]) -> dict[str, Correction]:
    """Save one decision in a corrections file, and return all decisions of the file.

    The file is read again first, under a lock, so that decisions saved meanwhile by another page or in an editor are kept.

    Args:
        revise: takes the clip's decision as the file has it now, and returns the new one; None = no decision. If it raises an
            exception, nothing is written.

    Raises:
        UserError: the file is missing or has become invalid; nothing is written then.
    """
    with locked(path):
        decisions = read(path)
        decision = revise(decisions.get(clip))
        if decision is None:
            decisions.pop(clip, None)
        else:
            decisions[clip] = decision
        write(path, decisions.values())
    return decisions


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait until no other writer of a corrections file holds the lock, and hold it: `decide` waits within the block.

    It is on the file's folder, because each writer replaces the file itself.
    """
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _parse(where: str, row: list[str]) -> Correction:
    if len(row) != len(HEADER):
        raise UserError(
            "{where}: {count} columns", "write clip,action,text; put a text with a comma in double quotes", where=where, count=len(row)
        )
    clip, action, text = (cell.strip() for cell in row)
    match = records.ID.match(clip)
    if not match or not match["cut"]:
        raise UserError("{where}: {clip!r} is not a clip id", "copy it from reports/ledger/curate.csv", where=where, clip=clip)
    if action not in ACTIONS:
        raise UserError(
            "{where}: unknown action {action!r}", "write one of {actions}", where=where, action=action, actions=", ".join(ACTIONS)
        )
    if action == "text" and not text:
        raise UserError("{where}: action text without a text", "write the words, or use accept or reject", where=where)
    return Correction(clip, action != "reject", " ".join(text.split()))
