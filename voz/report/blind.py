"""A blind listening test on a page: pairs of recordings of one text, without their names, in an order drawn from a seed.

The page asks which of two recordings a person prefers. Its script (blind.js) takes the recordings from the page's own players
(players.html.j2), so they are in the page once. The chances of every outcome are computed here, by SciPy, and put into the page.
"""

import hashlib
import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import scipy.stats

from voz.report.views import LineView

MAX_TRIALS = 60  # about a quarter of an hour of listening
SIGNIFICANT = 0.05  # two-sided; divided by the number of pairs that are compared


@dataclass(frozen=True)
class Trial:
    """A text to hear twice: the id of its line, and which voice speaks it first and second."""

    line: str
    first: str
    second: str


@dataclass(frozen=True)
class BlindTest:
    """What the page's script needs.

    id: a hash of everything else and of the sounds: stored answers belong to one test only.
    voices: what to call each voice once the answers are given.
    outcomes: `outcomes[n][k]`, see `outcome`, for up to as many answers as a pair of voices can get.
    """

    id: str
    seed: int
    voices: dict[str, str]
    lines: dict[str, str]
    trials: list[Trial]
    outcomes: list[list[list[float]]]
    significant: float

    def data(self) -> dict[str, Any]:
        """The same as JSON values."""
        return asdict(self)


def blind_test(lines: Sequence[LineView], voices: dict[str, str], *, seed: int) -> BlindTest | None:
    """A test of every pair of voices; None without lines.

    Args:
        lines: with an id, and a player of each of the voices.
        voices: the voices by key, in any order, with their names.
    """
    if not lines:
        return None
    trials = draw([line.id for line in lines], list(voices), seed=seed)
    used = {trial.line for trial in trials}
    texts = {line.id: line.text for line in lines if line.id in used}
    sounds = [player.sound for line in lines for player in line.players]
    made_of = json.dumps([seed, voices, texts, [asdict(trial) for trial in trials], sounds])
    pairs = list(combinations(voices, 2))
    most = len(trials) // len(pairs)
    outcomes = [[outcome(k, n) for k in range(n + 1)] for n in range(1, most + 1)]
    test_id = hashlib.sha256(made_of.encode()).hexdigest()[:16]
    return BlindTest(test_id, seed, voices, texts, trials, [[], *outcomes], SIGNIFICANT / len(pairs))


def draw(lines: Sequence[str], voices: Sequence[str], *, seed: int) -> list[Trial]:
    """The trials in their order: every pair of voices equally often, each voice of a pair first in half of its trials.

    With more lines than MAX_TRIALS allows, the same random lines for every pair.
    """
    generator = random.Random(seed)
    pairs = list(combinations(voices, 2))
    chosen = generator.sample(list(lines), min(len(lines), max(1, MAX_TRIALS // len(pairs))))
    trials = []
    for a, b in pairs:
        generator.shuffle(chosen)
        swapped = generator.randrange(2)  # of an odd number of lines, either voice may be first once more
        for index, line in enumerate(chosen):
            trials.append(Trial(line, b, a) if index % 2 == swapped else Trial(line, a, b))
    generator.shuffle(trials)
    return trials


def outcome(preferred: int, answers: int) -> list[float]:
    """What it means that one of two voices was preferred in some of the answers.

    Returns:
        the exact two-sided p-value against a coin, and the 95 % interval of the share (Clopper and Pearson 1934).
    """
    test = scipy.stats.binomtest(preferred, answers)
    interval = test.proportion_ci(confidence_level=0.95, method="exact")
    return [round(float(value), 4) for value in (test.pvalue, interval.low, interval.high)]
