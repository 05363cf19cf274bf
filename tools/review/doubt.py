"""The order in which a person should listen to the clips: the most doubtful first.

Scores and reasons come from curate's ledger, limits from params.yaml. Nothing is computed from the sound.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from voz.data.corrections import Correction
from voz.metrics import filters
from voz.pipeline import ledger, records
from voz.text import unspoken

MAX_SHARE = 10.0  # a score at ten times its limit is as doubtful as any beyond


@dataclass(frozen=True)
class Closeness:
    """How near a score is to the limit of a filter: `share` is 0 far away from it, 1 at the limit, above 1 beyond it."""

    filter: filters.Filter
    value: float
    limit: float
    share: float


@dataclass(frozen=True)
class Case:
    """A clip with all that helps a person to decide on it."""

    clip: records.Clip
    transcript: str  # Whisper's text
    reason: str  # why the last curate rejected the clip; "" = it accepted it, or has not seen it
    remark: str  # the detail of curate's ledger without the scores
    closeness: list[Closeness]  # the nearest to its limit first
    doubt: float

    def text(self, decision: Correction | None) -> str:
        """The clip's text as curate reads it: the person's if there is one, else Whisper's without annotations and credits."""
        return (decision.text if decision else "") or unspoken.cut(self.transcript).text


def closeness(scores: dict[str, float], knobs: dict[str, float]) -> list[Closeness]:
    """The closeness of each score that has a filter, the nearest first.

    The share is score / limit for an upper limit and limit / score for a lower one; for a negative score with a negative
    lower limit (avg_logprob) it is score / limit. It is within 0 and MAX_SHARE.

    Args:
        knobs: section `curate` of params.yaml.
    """
    found = []
    for each in filters.FILTERS:
        if each.score in scores and (each.fixed is not None or each.knob in knobs):
            value, limit = scores[each.score], each.limit(knobs)
            found.append(Closeness(each, value, limit, _share(value, limit, each.direction)))
    return sorted(found, key=lambda one: -one.share)


def doubt(near: Iterable[Closeness], reason: str) -> float:
    """The largest share, and at least 1 if curate rejected the clip: 0 no doubt, up to MAX_SHARE."""
    return max([*(one.share for one in near), 1.0 if reason else 0.0])


def read_detail(detail: str) -> tuple[str, dict[str, float]]:
    """Split the detail of a row of curate's ledger, `remark; name=value name=value`, into (remark, scores)."""
    remark, _, numbers = detail.rpartition("; ")
    scores = {}
    for pair in numbers.split():
        name, _, value = pair.partition("=")
        scores[name] = float(value)
    return remark, scores


def cases(
    clips: Iterable[records.Clip], transcripts: Iterable[records.Transcript], rows: Iterable[ledger.Row], knobs: dict[str, float]
) -> list[Case]:
    """The clips sorted by doubt, the largest first; equal ones by id.

    Args:
        rows: curate's ledger. For a clip that it does not hold, Whisper's confidence is the only score.
        knobs: section `curate` of params.yaml.
    """
    transcript_of, row_of = {each.id: each for each in transcripts}, {row.input: row for row in rows}
    found = []
    for clip in clips:
        transcript, row = transcript_of.get(clip.id), row_of.get(clip.id)
        remark, scores = read_detail(row.detail) if row else ("", {"avg_logprob": transcript.avg_logprob} if transcript else {})
        near, reason = closeness(scores, knobs), row.reason if row else ""
        found.append(Case(clip, transcript.text if transcript else "", reason, remark, near, doubt(near, reason)))
    return sorted(found, key=lambda case: (-case.doubt, case.clip.id))


def undecided_first(ordered: list[Case], decisions: dict[str, Correction]) -> list[Case]:
    """The same order with the decided clips at the end."""
    return sorted(ordered, key=lambda case: case.clip.id in decisions)


def _share(value: float, limit: float, direction: Literal["min", "max"]) -> float:
    if direction == "min" and limit > 0:  # snr_db, chars_per_s
        return min(limit / value, MAX_SHARE) if value > 0 else MAX_SHARE
    if direction == "min":
        value, limit = -value, -limit  # a lower limit of a negative score is an upper limit of the negated one
    if value <= 0 or math.isclose(value, 0.0):
        return 0.0
    return min(value / limit, MAX_SHARE) if limit > 0 else MAX_SHARE
