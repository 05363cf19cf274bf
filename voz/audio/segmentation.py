"""Where to cut a note: the chain of clips that keeps the most speech and is nearest to the wanted length.

Pure: arrays in, stretches out, all on a grid of hops (voz/audio/vad.py). A boundary lies in the middle of its hop.
"""

import bisect
import itertools
from dataclasses import dataclass

import numpy as np

from voz.audio.level import decibel, frames_db, quiet_db
from voz.audio.vad import HOP_S, NoteAnalysis, runs
from voz.pipeline import records

PAD_S = 0.15  # silence wanted before and after the speech of a clip
MARGIN_S = 0.03  # a cut is never nearer to speech
QUIET_DB = 20.0  # a boundary's 20 ms are so far under the clip's speech ...
NOISE_DB, NOISE_PROBABILITY = 3.0, 0.3  # ... or within 3 dB of the noise floor where silero hears no speech
LONG_GAP_S = 0.8  # a voice should not learn longer pauses
GAP_COST = 0.2  # per second of pause over LONG_GAP_S inside a clip
DROP_COST = 1.0  # per second of speech left out; a clip's length never costs more than 0.45
ROUND_S = 0.001  # clips are cut at whole milliseconds
AWAY_DB = 6.0  # being PAD_S away from the wanted place costs as much as this much noise

ACCEPTED = ""
NO_SAFE_CUT, CUT_IN_SPEECH, TOO_SHORT = "no_safe_cut", "cut_in_speech", "too_short"


@dataclass(frozen=True)
class Stretch:
    """Hops `[start, end]` of a note: a clip (`reason` empty; boundaries in the middle of both hops), or speech left out."""

    start: int
    end: int
    reason: str


@dataclass(frozen=True)
class _Gap:
    """A place to cut: the clip before ends at hop `left`, the clip after begins at hop `right`; `pause` in hops."""

    left: int
    right: int
    pause: int


def describe(note: str, analysis: NoteAnalysis, stretch: Stretch) -> records.Clip:
    """The record of an accepted stretch."""
    start_ms, end_ms = middle_ms(stretch.start), middle_ms(stretch.end)
    inside = slice(stretch.start, stretch.end + 1)
    mask, energy = analysis.mask[inside], analysis.energy[inside]
    frames = frames_db(analysis.energy)
    return records.Clip(
        id=f"{note}-{start_ms:07d}-{end_ms:07d}",
        note=note,
        start_s=start_ms / 1000,
        end_s=end_ms / 1000,
        duration_s=(end_ms - start_ms) / 1000,
        speech_s=seconds(mask),
        level_db=round(decibel(float(energy[mask].mean())), 2),
        noise_db=round(quiet_db(energy), 2),
        start_db=round(float(frames[stretch.start]), 2),
        end_db=round(float(frames[stretch.end]), 2),
    )


def middle_ms(hop: int) -> int:
    """The middle of a hop, in milliseconds."""
    return round((hop + 0.5) * HOP_S * 1000)


def seconds(mask: np.ndarray) -> float:
    """How long the True hops of a mask last. [N] bool"""
    return round(int(mask.sum()) * HOP_S, 6)


class _Note:
    """Prefix sums, so that any clip's speech level takes one step."""

    def __init__(self, analysis: NoteAnalysis) -> None:
        self.analysis = analysis
        self.db = frames_db(analysis.energy)
        self.speech = np.concatenate([[0], np.cumsum(analysis.mask)])
        self.energy = np.concatenate([[0.0], np.cumsum(np.where(analysis.mask, analysis.energy, 0.0))])
        self.spoken_db = self.level_db(0, len(self.db))
        self.calm = (analysis.probability < NOISE_PROBABILITY) & (self.db <= analysis.noise_db + NOISE_DB)

    def level_db(self, start: int, end: int) -> float:
        """RMS of the speech within hops [start, end)."""
        count = self.speech[end] - self.speech[start]
        return decibel(float(self.energy[end] - self.energy[start]) / count) if count else decibel(0.0)

    def safe(self, hops: int | np.ndarray, level_db: float) -> np.ndarray:
        """True where a boundary at a hop of a clip whose speech has `level_db` provably cuts no word. [n] -> [n] bool, or one"""
        return np.asarray(self.calm[hops] | (self.db[hops] <= level_db - QUIET_DB))


def plan(analysis: NoteAnalysis, *, target_s: float, min_s: float, max_s: float, min_gap_ms: float) -> list[Stretch]:
    """Choose the clips of a note.

    Dynamic programming over the gaps between speech, O(N * K) for N gaps of which K lie within `max_s`.

    Args:
        target_s, min_s, max_s: wanted, least and greatest length of a clip, padding included.
        min_gap_ms: shorter pauses are no place to cut.

    Returns:
        Stretches in order, not overlapping, that hold all speech between them; empty if there is none. The rest is silence.
    """
    note = _Note(analysis)
    spoken = _merge(runs(analysis.mask), round(min_gap_ms / 1000 / HOP_S))
    gaps = _gaps(note, spoken)
    allowed = _allowed(note, gaps, target_s=target_s, min_s=min_s, max_s=max_s)
    stretches: list[Stretch] = []
    dropped: list[int] = []
    for first, last, kept in _best_chain(note, gaps, spoken, allowed):
        if kept:
            stretches += _left_out(gaps, spoken, allowed, dropped, min_s)
            stretches.append(Stretch(gaps[first].right, gaps[last].left, ACCEPTED))
            dropped = []
        else:
            dropped.append(first)
    return stretches + _left_out(gaps, spoken, allowed, dropped, min_s)


def _merge(spoken: list[tuple[int, int]], shortest_gap: int) -> list[tuple[int, int]]:
    """Join what lies nearer together than `shortest_gap` hops: there is no room to cut."""
    joined: list[tuple[int, int]] = []
    for start, end in spoken:
        if joined and start - joined[-1][1] < shortest_gap:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


def _gaps(note: _Note, spoken: list[tuple[int, int]]) -> list[_Gap]:
    """The places to cut: before, between and after the stretches of speech. [len(spoken) + 1]"""
    if not spoken:
        return []
    pad, margin, last = round(PAD_S / HOP_S), round(MARGIN_S / HOP_S), len(note.db) - 1
    first = spoken[0][0]
    right = _quietest(note, max(0, first - 2 * pad), first - margin, wanted=first - pad) if first > margin else 0
    gaps = [_Gap(0, right, 0)]
    for (_, start), (end, _) in itertools.pairwise(spoken):
        if end - start < 4 * pad:
            middle = _quietest(note, start + margin, end - margin, wanted=(start + end) // 2)
            gaps.append(_Gap(middle, middle, end - start))
        else:
            left = _quietest(note, start + margin, start + 2 * pad, wanted=start + pad)
            gaps.append(_Gap(left, _quietest(note, end - 2 * pad, end - margin, wanted=end - pad), end - start))
    start = spoken[-1][1]
    left = _quietest(note, start + margin, min(last + 1, start + 2 * pad), wanted=start + pad) if start + margin <= last else last
    return [*gaps, _Gap(left, last, 0)]


def _quietest(note: _Note, start: int, end: int, *, wanted: int) -> int:
    """The quietest hop of [start, end), a safe one if there is one; among equally quiet ones the nearest to `wanted`."""
    hops = np.arange(start, max(end, start + 1))
    safe = note.safe(hops, note.spoken_db)
    if safe.any():
        hops = hops[safe]
    away = np.abs(hops - wanted) * (HOP_S / PAD_S) * AWAY_DB
    return int(hops[np.argmin(np.maximum(note.db[hops], note.analysis.noise_db) + away)])


def _allowed(note: _Note, gaps: list[_Gap], *, target_s: float, min_s: float, max_s: float) -> dict[tuple[int, int], float | None]:
    """Every pair of gaps whose clip has an allowed length, with its cost, or None where a boundary is not safe."""
    ends = [gap.left for gap in gaps]
    found: dict[tuple[int, int], float | None] = {}
    for first, gap in enumerate(gaps[:-1]):
        pause = 0.0
        for last in range(first + 1, bisect.bisect_right(ends, gap.right + max_s / HOP_S)):
            pause += max(0.0, gaps[last - 1].pause * HOP_S - LONG_GAP_S) if last - 1 > first else 0.0
            length_s = (gaps[last].left - gap.right) * HOP_S
            if length_s < min_s + ROUND_S or length_s > max_s - ROUND_S:
                continue
            level_db = note.level_db(gap.right, gaps[last].left)
            safe = note.safe(gap.right, level_db) and note.safe(gaps[last].left, level_db)
            found[first, last] = ((length_s - target_s) / target_s) ** 2 + GAP_COST * pause if safe else None
    return found


def _best_chain(
    note: _Note, gaps: list[_Gap], spoken: list[tuple[int, int]], allowed: dict[tuple[int, int], float | None]
) -> list[tuple[int, int, bool]]:
    """The cheapest way from the first gap to the last: (from, to, is it a clip) in order."""
    cost = [0.0] + [np.inf] * (len(gaps) - 1)
    came: list[tuple[int, int, bool]] = [(0, 0, False)] * len(gaps)
    steps: list[list[tuple[int, float]]] = [[] for _ in gaps]
    for (first, last), price in allowed.items():
        if price is not None:
            steps[first].append((last, price))
    for first in range(len(gaps) - 1):
        start, end = spoken[first]
        drop = DROP_COST * HOP_S * float(note.speech[end] - note.speech[start])
        for last, price, kept in [*((last, price, True) for last, price in steps[first]), (first + 1, drop, False)]:
            if cost[first] + price < cost[last]:
                cost[last], came[last] = cost[first] + price, (first, last, kept)
    chain, at = [], len(gaps) - 1
    while at > 0:
        chain.append(came[at])
        at = came[at][0]
    return chain[::-1]


def _left_out(
    gaps: list[_Gap], spoken: list[tuple[int, int]], allowed: dict[tuple[int, int], float | None], dropped: list[int], min_s: float
) -> list[Stretch]:
    """One stretch for neighbouring speech that is in no clip, with the reason."""
    if not dropped:
        return []
    first, last = dropped[0], dropped[-1] + 1
    if any(first <= a and b <= last for a, b in allowed):
        reason = CUT_IN_SPEECH  # its length would do: a boundary is too loud
    else:
        reason = TOO_SHORT if (gaps[last].left - gaps[first].right) * HOP_S < min_s else NO_SAFE_CUT
    return [Stretch(spoken[first][0], spoken[last - 1][1] - 1, reason)]
