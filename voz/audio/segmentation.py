"""Decide where to cut a note: the sequence of clips that keeps the most speech and comes closest to the target length.

Pure functions on the grid of hops of `vad.NoteAnalysis`: arrays in, stretches out. A boundary lies in the middle of its hop.
"""

import bisect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voz.audio.level import decibel, frames_db, quiet_db
from voz.audio.vad import HOP_S, NOISE_DB, NOISE_PROBABILITY, OFF, QUIET_DB, NoteAnalysis, runs
from voz.pipeline import records

PAD_S = 0.15  # wanted silence before and after the speech of a clip
MARGIN_S = 0.03  # least distance from a cut to speech
LATE = 0.75  # where in a short pause a cut is wanted: words fade out slowly and begin abruptly
LONG_GAP_S = 0.8  # a voice should not learn longer pauses
GAP_COST = 0.2  # per second of a pause in a clip over LONG_GAP_S
DROP_COST = 1.0  # per second of speech left out; the length of a clip costs at most 0.45
ROUND_S = 0.001  # clips are cut at whole milliseconds
AWAY_DB = 6.0  # a cut PAD_S away from the wanted place is as bad as one with this much more noise

ACCEPTED = ""
NO_SAFE_CUT, CUT_IN_SPEECH, TOO_SHORT = "no_safe_cut", "cut_in_speech", "too_short"


@dataclass(frozen=True)
class Stretch:
    """Hops `[start, end]` of a note: a clip if `reason` is empty, otherwise speech that is left out."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class _Gap:
    """A place to cut: the clip before it ends at hop `left`, the clip after it begins at hop `right`; `pause` is its length in hops."""

    left: int
    right: int
    pause: int


class _Step(NamedTuple):
    """From one gap to a later one: a clip, or a stretch of speech that is left out."""

    first: int
    last: int
    is_clip: bool


_Costs = dict[tuple[int, int], float | None]  # by first and last gap of a clip; None: a boundary is not safe


def clip_records(note: str, analysis: NoteAnalysis, stretches: Sequence[Stretch]) -> list[records.Clip]:
    """The manifest's records of the clips among the stretches of a note."""
    frames = frames_db(analysis.energy)
    return [_clip_record(note, analysis, frames, each) for each in stretches if not each.reason]


def _clip_record(note: str, analysis: NoteAnalysis, frames: np.ndarray, stretch: Stretch) -> records.Clip:
    """The record of one. frames: level of each hop in dB, [N]"""
    start_ms, end_ms = middle_ms(stretch.start), middle_ms(stretch.end)
    inside = slice(stretch.start, stretch.end + 1)
    mask, energy = analysis.mask[inside], analysis.energy[inside]
    return records.Clip(
        id=f"{note}-{start_ms:07d}-{end_ms:07d}",
        note=note,
        start_s=start_ms / 1000,
        end_s=end_ms / 1000,
        duration_s=(end_ms - start_ms) / 1000,
        speech_s=duration_s(mask),
        level_db=round(decibel(float(energy[mask].mean())), 2),
        noise_db=round(quiet_db(energy), 2),
        start_db=round(float(frames[stretch.start]), 2),
        end_db=round(float(frames[stretch.end]), 2),
    )


def middle_ms(hop: int) -> int:
    """The middle of a hop, in milliseconds."""
    return round((hop + 0.5) * HOP_S * 1000)


def duration_s(mask: np.ndarray) -> float:
    """The total duration of the True hops of a mask. bool [N]"""
    return round(int(mask.sum()) * HOP_S, 6)


def plan(analysis: NoteAnalysis, *, target_s: float, min_s: float, max_s: float, min_gap_ms: float) -> list[Stretch]:
    """Choose the clips of a note, by dynamic programming over the gaps between its speech.

    O(N * K) for N gaps, of which K lie within `max_s`.

    Args:
        target_s, min_s, max_s: target, least and greatest length of a clip, padding included.
        min_gap_ms: pauses shorter than this are not cut.

    Returns:
        Stretches in order, without overlap, which hold all speech of the note between them; none if there is no speech.
    """
    levels = _Levels(analysis)
    spoken = _merge(runs(analysis.mask), round(min_gap_ms / 1000 / HOP_S))
    gaps = _gaps(levels, spoken)
    costs = _clip_costs(levels, gaps, target_s=target_s, min_s=min_s, max_s=max_s)
    stretches: list[Stretch] = []
    dropped: list[int] = []  # neighbouring stretches of `spoken`
    for step in _cheapest_path(levels, gaps, spoken, costs):
        if step.is_clip:
            stretches += _left_out(gaps, spoken, costs, dropped, min_s)
            stretches.append(Stretch(gaps[step.first].right, gaps[step.last].left, ACCEPTED))
            dropped = []
        else:
            dropped.append(step.first)
    return stretches + _left_out(gaps, spoken, costs, dropped, min_s)


class _Levels:
    """Levels of a note, with prefix sums: the speech level of any stretch is found in constant time.

    db: RMS of the 20 ms around each hop. [N]
    speech: number of hops with speech before each hop. [N + 1]
    energy: their summed energy. [N + 1]
    unvoiced: True where silero does not suggest speech. bool [N]
    calm: True where neither the level nor silero suggests speech. bool [N]
    speech_db: speech level of the whole note.
    """

    def __init__(self, analysis: NoteAnalysis) -> None:
        self.noise_db = analysis.noise_db
        self.db = frames_db(analysis.energy)
        self.speech = np.concatenate([[0], np.cumsum(analysis.mask)])
        self.energy = np.concatenate([[0.0], np.cumsum(np.where(analysis.mask, analysis.energy, 0.0))])
        self.unvoiced = analysis.probability < OFF
        self.calm = (analysis.probability < NOISE_PROBABILITY) & (self.db <= analysis.noise_db + NOISE_DB)
        self.speech_db = self.speech_level_db(0, len(self.db))

    def speech_level_db(self, start: int, end: int) -> float:
        """RMS of the speech within hops [start, end)."""
        count = self.speech[end] - self.speech[start]
        return decibel(float(self.energy[end] - self.energy[start]) / count) if count else decibel(0.0)

    def safe(self, hops: int | np.ndarray, speech_db: float) -> np.ndarray:
        """True where a cut does not go through a word, for a clip whose speech has the level `speech_db`. [n] -> bool [n], or one"""
        return np.asarray(self.calm[hops] | (self.unvoiced[hops] & (self.db[hops] <= speech_db - QUIET_DB)))


def _merge(spoken: list[tuple[int, int]], shortest_gap: int) -> list[tuple[int, int]]:
    """Join stretches that are fewer than `shortest_gap` hops apart: there is no room for a cut."""
    joined: list[tuple[int, int]] = []
    for start, end in spoken:
        if joined and start - joined[-1][1] < shortest_gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _gaps(levels: _Levels, spoken: list[tuple[int, int]]) -> list[_Gap]:
    """The places to cut: before, between and after the stretches of speech. [len(spoken) + 1]"""
    if not spoken:
        return []
    pad, margin, last = round(PAD_S / HOP_S), round(MARGIN_S / HOP_S), len(levels.db) - 1
    first = spoken[0][0]
    right = _quietest(levels, max(0, first - 2 * pad), first - margin, wanted=first - pad) if first > margin else 0
    gaps = [_Gap(0, right, 0)]
    for (_, start), (end, _) in itertools.pairwise(spoken):  # of the pause
        if end - start < 4 * pad:
            middle = _quietest(levels, start + margin, end - margin, wanted=start + round(LATE * (end - start)))
            gaps.append(_Gap(middle, middle, end - start))
        else:
            left = _quietest(levels, start + margin, start + 2 * pad, wanted=start + pad)
            gaps.append(_Gap(left, _quietest(levels, end - 2 * pad, end - margin, wanted=end - pad), end - start))
    start = spoken[-1][1]
    left = _quietest(levels, start + margin, min(last + 1, start + 2 * pad), wanted=start + pad) if start + margin <= last else last
    return [*gaps, _Gap(left, last, 0)]


def _quietest(levels: _Levels, start: int, end: int, *, wanted: int) -> int:
    """The best hop of [start, end) for a cut: a safe one if there is one, then the quietest, weighed against its distance to `wanted`."""
    hops = np.arange(start, max(end, start + 1))
    safe = levels.safe(hops, levels.speech_db)
    if safe.any():
        hops = hops[safe]
    away = np.abs(hops - wanted) * (HOP_S / PAD_S) * AWAY_DB
    return int(hops[np.argmin(np.maximum(levels.db[hops], levels.noise_db) + away)])


def _clip_costs(levels: _Levels, gaps: list[_Gap], *, target_s: float, min_s: float, max_s: float) -> _Costs:
    """The cost of every clip of an allowed length, or None if a boundary is not safe."""
    ends = [gap.left for gap in gaps]
    costs: _Costs = {}
    for first, gap in enumerate(gaps[:-1]):
        pause_s = 0.0  # over LONG_GAP_S, in the pauses inside the clip
        for last in range(first + 1, bisect.bisect_right(ends, gap.right + max_s / HOP_S)):
            pause_s += max(0.0, gaps[last - 1].pause * HOP_S - LONG_GAP_S) if last - 1 > first else 0.0
            length_s = (gaps[last].left - gap.right) * HOP_S
            if length_s < min_s + ROUND_S or length_s > max_s - ROUND_S:
                continue
            speech_db = levels.speech_level_db(gap.right, gaps[last].left)
            safe = levels.safe(gap.right, speech_db) and levels.safe(gaps[last].left, speech_db)
            costs[first, last] = ((length_s - target_s) / target_s) ** 2 + GAP_COST * pause_s if safe else None
    return costs


def _cheapest_path(levels: _Levels, gaps: list[_Gap], spoken: list[tuple[int, int]], costs: _Costs) -> list[_Step]:
    """The cheapest way from the first gap to the last, in order."""
    best = [0.0] + [np.inf] * (len(gaps) - 1)  # cost of the cheapest way to each gap
    came_by: list[_Step] = [_Step(0, 0, False)] * len(gaps)  # its last step
    clips: list[list[tuple[_Step, float]]] = [[] for _ in gaps]  # by first gap
    for (first, last), cost in costs.items():
        if cost is not None:
            clips[first].append((_Step(first, last, True), cost))
    for first in range(len(gaps) - 1):
        start, end = spoken[first]
        drop_cost = DROP_COST * HOP_S * float(levels.speech[end] - levels.speech[start])
        for step, cost in [*clips[first], (_Step(first, first + 1, False), drop_cost)]:
            if best[first] + cost < best[step.last]:
                best[step.last], came_by[step.last] = best[first] + cost, step
    path, at = [], len(gaps) - 1
    while at > 0:
        path.append(came_by[at])
        at = came_by[at].first
    return path[::-1]


def _left_out(gaps: list[_Gap], spoken: list[tuple[int, int]], costs: _Costs, dropped: list[int], min_s: float) -> list[Stretch]:
    """One stretch for neighbouring speech that is in no clip, with the reason; none if nothing was dropped."""
    if not dropped:
        return []
    first, last = dropped[0], dropped[-1] + 1
    if any(first <= a and b <= last for a, b in costs):
        reason = CUT_IN_SPEECH  # there is a clip of an allowed length, but a boundary is too loud
    else:
        reason = TOO_SHORT if (gaps[last].left - gaps[first].right) * HOP_S < min_s else NO_SAFE_CUT
    return [Stretch(spoken[first][0], spoken[last - 1][1] - 1, reason)]
