"""voz/metrics/dtw.py, against the best of all paths and a stretched series."""

import numpy as np
import pytest

from voz.metrics import dtw


def test_the_path_has_the_least_total_cost() -> None:
    cost = np.random.default_rng(1).random((4, 5))

    def paths(i: int, j: int) -> list[list[tuple[int, int]]]:
        if (i, j) == (0, 0):
            return [[(0, 0)]]
        steps = [(i - 1, j - 1), (i - 1, j), (i, j - 1)]
        return [[*path, (i, j)] for a, b in steps if a >= 0 and b >= 0 for path in paths(a, b)]

    best = min(paths(3, 4), key=lambda path: sum(cost[cell] for cell in path))
    found = dtw.align(cost)
    assert [*zip(found.rows.tolist(), found.columns.tolist(), strict=True)] == best
    assert found.mean_cost == pytest.approx(sum(cost[cell] for cell in best) / len(best))


def test_one_row_or_one_cell() -> None:
    cost = np.random.default_rng(1).random((1, 5))
    assert dtw.align(cost).mean_cost == pytest.approx(cost.mean())
    assert dtw.align(cost).columns.tolist() == [*range(5)]
    assert dtw.align(cost.T).rows.tolist() == [*range(5)] and dtw.align(cost.T).mean_cost == pytest.approx(cost.mean())
    assert dtw.align(cost[:, :1]).mean_cost == pytest.approx(cost[0, 0])


def test_of_equal_costs_the_diagonal_is_taken_then_the_step_down() -> None:
    found = dtw.align(np.zeros((4, 2)))
    assert found.rows.tolist() == [0, 1, 2, 3] and found.columns.tolist() == [0, 0, 0, 1]
    around = np.zeros((3, 3))
    around[1, 1] = 9.0  # the last cell is reached from above and from the left for the same cost, not from the middle
    found = dtw.align(around)
    assert found.rows.tolist() == [0, 0, 1, 2] and found.columns.tolist() == [0, 1, 2, 2]


def test_the_path_follows_a_stretch() -> None:
    series = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    slow = np.repeat(series, 2)
    found = dtw.align(np.abs(series[:, None] - slow[None]))
    assert found.rows.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] and found.columns.tolist() == [*range(10)]
    assert found.mean_cost == 0.0
