"""voz/metrics/estimates.py: intervals that draw whole notes, and figures that some lines lack."""

import itertools

import numpy as np

from voz.metrics import estimates


def test_interval_draws_whole_notes() -> None:
    values, notes = [0.0] * 10 + [1.0] * 10, ["a"] * 10 + ["b"] * 10
    found = estimates.interval(values, notes, seed=1)
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)  # two notes are little evidence, however many lines they have
    spread = estimates.interval(values, [str(i) for i in range(20)], seed=1)
    assert spread.low is not None and spread.high is not None and 0.2 < spread.low < 0.5 < spread.high < 0.8
    assert found == estimates.interval(values, notes, seed=1)
    order = [*range(1, 20), 0]
    assert estimates.interval([values[i] for i in order], [notes[i] for i in order], seed=1) == found


def test_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator, hits = np.random.default_rng(0), 0
    for trial, _ in enumerate(itertools.repeat(None, 200)):
        of_note = generator.normal(0, 1, 30)
        values = [float(of_note[i // 4] + generator.normal(0, 0.5)) for i in range(120)]
        found = estimates.interval(values, [f"{i // 4:02d}" for i in range(120)], seed=trial)
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.0 <= found.high
    assert 0.88 <= hits / 200 <= 0.99


def test_one_note_gives_no_interval() -> None:
    found = estimates.interval([1.0, 3.0], ["a", "a"], seed=1)
    assert (found.mean, found.low, found.high) == (2.0, None, None)


def test_figures_that_are_missing_are_left_out() -> None:
    base, fine_tuned = [{"x": 1.0, "y": 5.0}, {"x": 2.0}], [{"x": 4.0, "y": 5.5}, {"x": 2.0, "y": 9.0}]
    assert estimates.differences(base, fine_tuned) == [{"x": 3.0, "y": 0.5}, {"x": 0.0}]
    summary = estimates.summarise(estimates.differences(base, fine_tuned), ["a", "b"], seed=1)
    assert summary["x"] == {"mean": 1.5, "low": 0.0, "high": 3.0} and summary["y"] == {"mean": 0.5}
