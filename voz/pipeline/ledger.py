"""The ledger: a stage accounts for every input, accepted or rejected with a reason code, or it does not exit 0.

One CSV per stage with the columns `input,item,outcome,reason,start_s,end_s,name,detail`. `input` is what the stage was
given (the id of a note or clip; for convert the file name). `item` is what became of it: the id of a note or clip, or
a stretch of the input that was left out.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from voz.pipeline.files import csv_text, read_table, write_text
from voz.pipeline.language import later, tr

ACCEPTED, REJECTED = "accepted", "rejected"
STAGES = ("convert", "segment", "transcribe", "curate")  # the stages that keep a ledger


@dataclass(frozen=True, order=True)
class Row:
    """One line of a ledger. Times are seconds within the note; empty where they do not apply."""

    input: str
    item: str
    outcome: str
    reason: str
    start_s: str
    end_s: str
    name: str
    detail: str


HEADER = [field.name for field in fields(Row)]


class Account:
    """Collects what became of each input of a stage; `close` fails while an input is missing."""

    def __init__(self, stage: str, inputs: Iterable[str]) -> None:
        self.stage = stage
        self.inputs = sorted(inputs)
        self.rows: list[Row] = []

    def accept(
        self, source: str, item: str, *, start_s: float | None = None, end_s: float | None = None, name: str = "", detail: str = ""
    ) -> None:
        """Record that the input `source` gave `item`."""
        self.rows.append(Row(source, item, ACCEPTED, "", _time(start_s), _time(end_s), name, detail))

    def reject(
        self,
        source: str,
        item: str,
        reason: str,
        *,
        start_s: float | None = None,
        end_s: float | None = None,
        name: str = "",
        detail: str = "",
    ) -> None:
        """Record that `item` (the input `source`, or a stretch of it) was left out. `reason` is a code such as `too_short`.

        Raises:
            ValueError: the reason is empty.
        """
        if not reason:
            raise ValueError(f"{self.stage}: {source}: rejected without a reason")
        self.rows.append(Row(source, item, REJECTED, reason, _time(start_s), _time(end_s), name, detail))

    @property
    def reasons(self) -> dict[str, int]:
        """Number of rejected items for each reason code, sorted by code."""
        return dict(sorted(Counter(row.reason for row in self.rows if row.outcome == REJECTED).items()))

    @property
    def accepted(self) -> int:
        """Number of accepted items."""
        return sum(row.outcome == ACCEPTED for row in self.rows)

    def close(self, path: Path) -> None:
        """Check that inputs = accepted + rejected, then write the CSV, sorted.

        Raises:
            RuntimeError: an input has no row, a row has no input, or an item has two rows. Each is a bug of the stage.
        """
        recorded = {row.input for row in self.rows}
        lost, unknown = set(self.inputs) - recorded, recorded - set(self.inputs)
        repeated = [item for item, count in Counter((row.input, row.item) for row in self.rows).items() if count > 1]
        if lost or unknown or repeated:
            raise RuntimeError(
                f"{self.stage}: ledger does not add up: lost {sorted(lost)[:3]}, unknown {sorted(unknown)[:3]}, twice {repeated[:3]}"
            )
        write_text(path, csv_text([HEADER, *(astuple(row) for row in sorted(self.rows))]))

    def summary(self) -> str:
        """The counts in one line: inputs, accepted items, rejected items by reason."""
        rejected = ", ".join(f"{count} {tr(reason)}" for reason, count in self.reasons.items()) or tr("none")
        return tr(
            "{stage}: {count} in, {accepted} accepted, rejected: {rejected}",
            stage=self.stage,
            count=len(self.inputs),
            accepted=self.accepted,
            rejected=rejected,
        )


def read(path: Path) -> list[Row]:
    """Read a ledger that `Account.close` wrote.

    Raises:
        UserError: missing, not UTF-8, or not such a ledger; names the line.
    """
    fix = later("`dvc checkout` restores the file, `dvc repro` writes it again")
    return [Row(*row) for row in read_table(path, HEADER, fix=fix)]


def _time(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:.3f}"
