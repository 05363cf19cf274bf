"""What curate says on the screen about the clips that it rejected: which reason, how far from its limit, what to do."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from voz.metrics import filters
from voz.pipeline import records
from voz.pipeline.command import UserError
from voz.pipeline.language import plural, tr

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
            tr(
                "{count} of {clips} clips rejected: {code} ({why}); {advice}",
                count=count,
                clips=len(self.verdicts),
                code=code,
                why=self._why(code),
                advice=self._advice(code),
            )
            for code, count in self.counts
            if count > FREQUENT * len(self.verdicts) and code != filters.REJECTED_BY_PERSON
        ]

    def too_few_notes(self) -> UserError:
        """The error for accepted clips of fewer than three notes. It names what is missing: notes, or clips that pass."""
        notes, left = {each.note for each in self.verdicts}, {each.note for each in self.verdicts if not each.reason}
        if left and len(notes) < len(records.SPLITS):
            return UserError(
                "curate: {accepted} of {count} clips accepted, but all are of {notes}; train, eval and test need one each",
                "cut the recording into three or more files, or add notes",
                accepted=sum(not each.reason for each in self.verdicts),
                count=len(self.verdicts),
                notes=_notes(len(notes)),
            )
        code = self.counts[0][0]
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.counts)
        rejected = sum(count for _, count in self.counts)
        need = tr("; accepted clips of {notes} are left, and train, eval and test need one each", notes=_notes(len(left))) if left else ""
        return UserError(
            "curate: {rejected} of {count} clips rejected: {reasons} ({why}){need}",
            "{advice}; each clip's scores are in reports/ledger/curate.csv",
            rejected=rejected,
            count=len(self.verdicts),
            reasons=reasons,
            why=self._why(code),
            need=need,
            advice=self._advice(code),
        )

    def _why(self, code: str) -> str:
        """The median score behind a reason and its limit, "median snr_db 9.1, limit min_snr_db 12"; else why the reason is one."""
        found = filters.BY_CODE.get(code)
        if found is None or found.score not in self.medians:
            return tr(filters.WHY[code]).rstrip(".")
        limit = f"{found.knob} {found.limit(self.knobs):g}".lstrip()
        return tr("median {score} {median:.3g}, limit {limit}", score=found.score, median=self.medians[found.score], limit=limit)

    def _advice(self, code: str) -> str:
        found = filters.BY_CODE.get(code)
        if found and found.knob:
            return tr("listen to them with `make review`; if they are fine, change curate.{knob} in params.yaml", knob=found.knob)
        return tr("listen to them with `make review`")


def _notes(count: int) -> str:
    return plural("{count} note", "{count} notes", count)
