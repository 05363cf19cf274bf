"""Dynamic time warping: the alignment of two series of frames that costs least.

librosa has one too, but compiles it for half a minute on first use.
"""

from typing import NamedTuple

import numpy as np

DIAGONAL, DOWN, RIGHT = range(3)  # a step into a cell; of equal costs the first is taken


class Path(NamedTuple):
    """The cells that an alignment passes, from corner to corner, and what it costs.

    rows, columns: index of each cell. int64 [P], [P]
    mean_cost: of those cells.
    """

    rows: np.ndarray
    columns: np.ndarray
    mean_cost: float


def align(cost: np.ndarray) -> Path:
    """The path of least total cost from corner to corner, by steps of one row, one column or both. [N, M]

    Works along anti-diagonals, whose cells depend only on the two before: O(N * M) in N + M NumPy steps.
    """
    rows, columns = cost.shape
    total = np.full((rows + 1, columns + 1), np.inf)  # with a border: cell (i, j) is at (i + 1, j + 1)
    step = np.zeros((rows + 1, columns + 1), np.int8)
    total[0, 0] = 0.0
    for diagonal in range(rows + columns - 1):
        i = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        j = diagonal - i
        before = np.stack([total[i, j], total[i, j + 1], total[i + 1, j]])
        step[i + 1, j + 1] = before.argmin(axis=0)
        total[i + 1, j + 1] = cost[i, j] + before.min(axis=0)
    cells = _trace(step)
    return Path(cells[:, 0], cells[:, 1], float(total[-1, -1] / len(cells)))


def _trace(step: np.ndarray) -> np.ndarray:
    """The cells from the first to the last, by the step into each. [N + 1, M + 1] -> [P, 2]"""
    i, j = step.shape[0] - 1, step.shape[1] - 1
    cells = [(i, j)]
    while (i, j) != (1, 1):
        taken = step[i, j]
        i, j = i - (taken != RIGHT), j - (taken != DOWN)
        cells.append((i, j))
    return np.array(cells[::-1]) - 1
