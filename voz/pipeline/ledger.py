"""The account of a stage: every input is accepted or rejected with a reason code, or the stage does not exit 0.

One CSV per stage, columns `input,item,outcome,reason,start_s,end_s,name,detail`: `input` is what came in (a note or a
clip id; for convert the file name), `item` what became of it (an id, or a stretch of it that was left out).
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from voz.pipeline.files import write_text

ACCEPTED, REJECTED = "accepted", "rejected"
STAGES = ("convert", "segment", "transcribe", "curate")  # those that keep one


@dataclass(frozen=True, order=True)
class Row:
    """One line of the ledger. Times are in seconds within the note, empty where they mean nothing."""

    input: str
    item: str
    outcome: str
    reason: str
    start_s: str
    end_s: str
    name: str
    detail: str


class Account:
    """Collects what became of each input of a stage and refuses to close while one is missing."""

    def __init__(self, stage: str, inputs: Iterable[str]) -> None:
        self.stage = stage
        self.inputs = sorted(inputs)
        self.rows: list[Row] = []

    def accept(
        self, given: str, item: str, *, start_s: float | None = None, end_s: float | None = None, name: str = "", detail: str = ""
    ) -> None:
        """`item` came of the input `given`."""
        self.rows.append(Row(given, item, ACCEPTED, "", _time(start_s), _time(end_s), name, detail))

    def reject(
        self,
        given: str,
        item: str,
        reason: str,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        name: str = "",
        detail: str = "",
    ) -> None:
        """`item` (the input, or a stretch of it) was left out because of `reason`, a code of a few words_with_underscores."""
        if not reason:
            raise ValueError(f"{self.stage}: {given}: rejected without a reason")
        self.rows.append(Row(given, item, REJECTED, reason, _time(start_s), _time(end_s), name, detail))

    @property
    def reasons(self) -> dict[str, int]:
        """How many rejected items per reason code, sorted by code."""
        return dict(sorted(Counter(row.reason for row in self.rows if row.outcome == REJECTED).items()))

    @property
    def accepted(self) -> int:
        """How many accepted items."""
        return sum(row.outcome == ACCEPTED for row in self.rows)

    def close(self, path: Path) -> None:
        """Check that in = accepted + rejected and write the CSV, sorted.

        Raises:
            RuntimeError: an input has no row, a row has no input, or two rows speak of the same item (a fault of the stage).
        """
        seen = {row.input for row in self.rows}
        lost, unknown = set(self.inputs) - seen, seen - set(self.inputs)
        doubled = [item for item, count in Counter((row.input, row.item) for row in self.rows).items() if count > 1]
        if lost or unknown or doubled:
            raise RuntimeError(
                f"{self.stage}: ledger does not add up: lost {sorted(lost)[:3]}, unknown {sorted(unknown)[:3]}, twice {doubled[:3]}"
            )
        text = io.StringIO()
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([field.name for field in fields(Row)])
        rows.writerows(astuple(row) for row in sorted(self.rows))
        write_text(path, text.getvalue())

    def summary(self) -> str:
        """One line for a person: how many in, accepted, rejected by reason."""
        rejected = ", ".join(f"{count} {reason}" for reason, count in self.reasons.items()) or "none"
        return f"{self.stage}: {len(self.inputs)} in, {self.accepted} accepted, rejected: {rejected}"


def read(path: Path) -> list[Row]:
    """Read a ledger back."""
    with open(path, encoding="utf-8", newline="") as file:
        return [Row(**row) for row in csv.DictReader(file)]


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}"
