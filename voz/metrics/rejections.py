"""What curate says on the screen about the clips that it rejected: which reason, how far from its limit, what to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from voz.metrics import filters
from voz.pipeline import records
from voz.pipeline.command import UserError

FREQUENT = 0.25  # share of the clips above which a reason is explained: then the limit may be wrong rather than the clips


@dataclass(frozen=True)
class Verdict:
    """Of a clip: its note, and why it was rejected, "" if it was accepted."""

    note: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of the clips of a run.

    verdicts: one per clip.
    medians: of each score over all clips, also the rejected ones.
    knobs: section `curate` of params.yaml.
    """

    verdicts: list[Verdict]
    medians: Mapping[str, float]
    knobs: Mapping[str, float]

    @property
    def counts(self) -> list[tuple[str, int]]:
        """The reasons with their numbers of clips, the most frequent first."""
        return Counter(each.reason for each in self.verdicts if each.reason).most_common()

    def frequent(self) -> list[str]:
        """One line for each reason for which a filter or a trainer's limit rejects more than a quarter of the clips."""
        return [
            f"{count} of {len(self.verdicts)} clips rejected: {code} ({self._why(code)}); {self._advice(code)}"
            for code, count in self.counts
            if count > FREQUENT * len(self.verdicts) and code != filters.REJECTED_BY_PERSON
        ]

    def too_few_notes(self) -> UserError:
        """The error for accepted clips of fewer than three notes. It names what is missing: notes, or clips that pass."""
        notes, left = {each.note for each in self.verdicts}, {each.note for each in self.verdicts if not each.reason}
        if left and len(notes) < len(records.SPLITS):
            accepted = f"{sum(not each.reason for each in self.verdicts)} of {len(self.verdicts)} clips accepted"
            what = f"curate: {accepted}, but all are of {_notes(len(notes))}; train, eval and test need one each"
            return UserError(what, "cut the recording into three or more files, or add notes")
        code = self.counts[0][0]
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.counts)
        rejected = sum(count for _, count in self.counts)
        what = f"curate: {rejected} of {len(self.verdicts)} clips rejected: {reasons} ({self._why(code)})"
        need = f"; accepted clips of {_notes(len(left))} are left, and train, eval and test need one each" if left else ""
        return UserError(what + need, f"{self._advice(code)}; each clip's scores are in reports/ledger/curate.csv")

    def _why(self, code: str) -> str:
        """The median score behind a reason and its limit, "median snr_db 9.1, limit min_snr_db 12"; else why the reason is one."""
        found = filters.BY_CODE.get(code)
        if found is None or found.score not in self.medians:
            return filters.WHY[code].rstrip(".")
        limit = f"limit {found.knob} {found.limit(self.knobs):g}" if found.knob else f"limit {found.limit(self.knobs):g}"
        return f"median {found.score} {self.medians[found.score]:.3g}, {limit}"

    def _advice(self, code: str) -> str:
        found = filters.BY_CODE.get(code)
        change = f"; if they are fine, change curate.{found.knob} in params.yaml" if found and found.knob else ""
        return f"listen to them with `make review`{change}"


def _notes(count: int) -> str:
    return f"{count} note{'s' * (count != 1)}"
