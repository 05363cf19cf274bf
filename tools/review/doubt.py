"""What a person should listen to first: clips with what is known of them, the most doubtful on top.

Scores and reasons are those of curate's ledger, limits those of params.yaml; nothing is measured here.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from voz.data.corrections import Correction
from voz.pipeline import ledger, records

MOST = 10.0  # doubt ends here: beyond ten times a limit nobody compares
# Reason code of each filter of curate that compares a score with a limit: (score, knob in section `curate` of params.yaml).
FILTERS = {
    "hallucination": ("hallucination", "max_hallucination"),
    "wrong_language": ("other_language_prob", "max_other_language_prob"),
    "prompt_leak": ("prompt_leak", "max_prompt_leak"),
    "low_confidence": ("avg_logprob", "min_avg_logprob"),
    "too_slow": ("chars_per_s", "min_chars_per_s"),
    "too_fast": ("chars_per_s", "max_chars_per_s"),
    "near_duplicate": ("duplicate", "max_duplicate"),
    "low_snr": ("snr_db", "min_snr_db"),
    "clipping": ("clipping", "max_clipping"),
    "music": ("music", "max_music"),
    "other_speaker": ("speaker_deviations", "max_speaker_deviations"),
}


@dataclass(frozen=True)
class Closeness:
    """How near a score is to the limit of a filter: `share` is 0 far away, 1 at the limit, above 1 beyond it."""

    reason: str
    score: str
    value: float
    limit: float
    at_most: bool  # the limit is an upper one
    share: float


@dataclass(frozen=True)
class Case:
    """A clip as a person judges it."""

    clip: records.Clip
    heard: str  # what whisper wrote
    reason: str  # why the last curate left it out; "" = it did not, or has not run on it
    remark: str  # what curate says besides
    closeness: list[Closeness]  # the nearest to its limit first
    doubt: float

    def text(self, decision: Correction | None) -> str:
        """The clip's words: the person's where there are any, else whisper's."""
        return (decision.text if decision else "") or self.heard


def closeness(scores: dict[str, float], limits: dict[str, float]) -> list[Closeness]:
    """Each filter's score as a share of its limit, the nearest first.

    The share is score / limit under an upper limit and limit / score over a lower one; a score below 0 (avg_logprob) under
    a limit below 0 is again score / limit. It stays within 0 and MOST.
    """
    found = []
    for reason, (score, knob) in FILTERS.items():
        if score in scores and knob in limits:
            value, limit, at_most = scores[score], limits[knob], knob.startswith("max_")
            found.append(Closeness(reason, score, value, limit, at_most, _share(value, limit, at_most=at_most)))
    return sorted(found, key=lambda one: -one.share)


def doubt(shares: Iterable[float], reason: str) -> float:
    """The largest share that a score has of its limit, and at least 1 where curate left the clip out: 0 no doubt, up to MOST."""
    return max([*shares, 1.0 if reason else 0.0])


def read_detail(detail: str) -> tuple[str, dict[str, float]]:
    """The detail of a row of curate's ledger, `remark; name=value name=value`, as (remark, scores)."""
    remark, _, numbers = detail.rpartition("; ")
    scores = {}
    for pair in numbers.split():
        name, _, value = pair.partition("=")
        scores[name] = float(value)
    return remark, scores


def cases(
    clips: Iterable[records.Clip], transcripts: Iterable[records.Transcript], rows: Iterable[ledger.Row], limits: dict[str, float]
) -> list[Case]:
    """The clips with what is known of them, sorted by doubt, the largest first; equal ones by id.

    Args:
        rows: curate's ledger. A clip that it does not know yet is judged by whisper's confidence alone.
        limits: section `curate` of params.yaml.
    """
    heard, judged = {one.id: one for one in transcripts}, {row.input: row for row in rows}
    found = []
    for clip in clips:
        words, row = heard.get(clip.id), judged.get(clip.id)
        remark, scores = read_detail(row.detail) if row else ("", {"avg_logprob": words.avg_logprob} if words else {})
        near, reason = closeness(scores, limits), row.reason if row else ""
        found.append(Case(clip, words.text if words else "", reason, remark, near, doubt((one.share for one in near), reason)))
    return sorted(found, key=lambda case: (-case.doubt, case.clip.id))


def undecided_first(ordered: list[Case], decided: dict[str, Correction]) -> list[Case]:
    """The same order, but what a person has decided comes last: there is no doubt about it any more."""
    return sorted(ordered, key=lambda case: case.clip.id in decided)


def _share(value: float, limit: float, *, at_most: bool) -> float:
    if not at_most and limit > 0:  # a lower limit above 0: snr_db, chars_per_s
        return min(limit / value, MOST) if value > 0 else MOST
    if not at_most:
        value, limit = -value, -limit  # a lower limit below 0 is an upper one of the mirrored score
    if value <= 0 or math.isclose(value, 0.0):
        return 0.0
    return min(value / limit, MOST) if limit > 0 else MOST
