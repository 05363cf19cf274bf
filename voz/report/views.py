"""What pages show: recordings with their players, totals of the ledgers, sizes of the splits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from voz.pipeline import ledger, records
from voz.report import charts

MAX_CHARS = 160  # of a transcript; Whisper repeats itself without end where there are no words
MAX_ROWS = 200  # of rejected items per stage; the ledger holds all


@dataclass(frozen=True)
class Player:
    """A recording on the page: `sound` and `picture` are data URIs, `picture` is "" if there is none.

    voice: key of who speaks, for the blind test.
    """

    label: str
    sound: str
    picture: str
    duration_s: float
    voice: str = ""


@dataclass(frozen=True)
class LineView:
    """A text, recordings of it, and a remark below them. `id`: of a line that the blind test may use."""

    text: str
    players: list[Player]
    remark: str
    id: str = ""


@dataclass(frozen=True)
class StageTotals:
    """The ledger of one stage: `inputs` = `accepted` + `rejected`. An input may become several items, some of them rejected.

    reasons: how many items were rejected for each reason, the most frequent first.
    rejected_rows: the first MAX_ROWS rejected items.
    """

    stage: str
    inputs: int
    accepted: int
    rejected: int
    accepted_items: int
    reasons: dict[str, int]
    rejected_rows: list[ledger.Row]


@dataclass(frozen=True)
class SplitSize:
    """How much of the dataset a split holds; `corrected` counts clips whose text a person wrote or approved."""

    split: records.Split
    clips: int
    notes: int
    minutes: float
    corrected: int


def player(pcm: np.ndarray, rate_hz: int, label: str, *, picture: bool = True, voice: str = "") -> Player:
    """Make a player, with a spectrogram above it if `picture`. float32 [T] at 16, 22.05 or 24 kHz"""
    return Player(label, charts.mp3(pcm, rate_hz), charts.spectrogram(pcm, rate_hz) if picture else "", len(pcm) / rate_hz, voice)


def stage_totals(stage: str, rows: list[ledger.Row]) -> StageTotals:
    """Add up a ledger. An input counts as accepted if at least one item of it was accepted."""
    inputs = {row.input for row in rows}
    accepted = {row.input for row in rows if row.outcome == ledger.ACCEPTED}
    rejected_rows = [row for row in rows if row.outcome == ledger.REJECTED]
    reasons = dict(sorted(Counter(row.reason for row in rejected_rows).items(), key=lambda pair: (-pair[1], pair[0])))
    return StageTotals(
        stage=stage,
        inputs=len(inputs),
        accepted=len(accepted),
        rejected=len(inputs - accepted),
        accepted_items=len(rows) - len(rejected_rows),
        reasons=reasons,
        rejected_rows=rejected_rows[:MAX_ROWS],
    )


def split_sizes(examples: Sequence[records.Example]) -> list[SplitSize]:
    """The size of each split; empty if there are no examples."""
    sizes = []
    for split in records.SPLITS if examples else ():
        mine = [e for e in examples if e.split == split]
        minutes = sum(e.duration_s for e in mine) / 60
        sizes.append(SplitSize(split, len(mine), len({e.note for e in mine}), minutes, sum(e.corrected for e in mine)))
    return sizes


def evenly_spaced(examples: Sequence[records.Example], count: int) -> list[records.Example]:
    """`count` examples, evenly spaced in the order of their ids: a sample that nobody picked."""
    ordered = sorted(examples, key=lambda e: e.id)
    if count >= len(ordered):
        return ordered
    return [ordered[i * len(ordered) // count] for i in range(count)]


def shortened(transcript: str) -> str:
    """A transcript of at most MAX_CHARS characters; what was cut off is shown as "…"."""
    return transcript if len(transcript) <= MAX_CHARS else f"{transcript[:MAX_CHARS]}…"


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested keys joined by dots: {"a": {"b": 1}} -> {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
