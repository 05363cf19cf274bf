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

    Works along anti-diagonals, whose cells depend only on the two before: O(N * M) in N + M steps of NumPy. In the flat matrix the cells
    of an anti-diagonal are columns - 1 apart. Its totals are a vector, that of cell (i, j) at i + 1, infinite where it has no cell.
    """
    rows, columns = cost.shape
    costs, steps = np.ascontiguousarray(cost).ravel(), np.empty(cost.size, np.int8)
    before, last = np.full((2, rows + 1), np.inf)
    before[0] = 0.0  # where the first cell comes from
    for number in range(rows + columns - 1):
        first, end = max(0, number - columns + 1), min(rows, number + 1)
        cells = slice(first * (columns - 1) + number, (end - 1) * (columns - 1) + number + 1, max(1, columns - 1))
        diagonal, down, right = before[first:end], last[first:end], last[first + 1 : end + 1]
        least = np.minimum(np.minimum(diagonal, down), right)
        steps[cells] = np.where(diagonal == least, DIAGONAL, np.where(down == least, DOWN, RIGHT))
        before, last = last, np.full(rows + 1, np.inf)
        last[first + 1 : end + 1] = costs[cells] + least
    path = _trace(steps.tobytes(), rows, columns)
    return Path(path[:, 0], path[:, 1], float(last[rows] / len(path)))


def _trace(steps: bytes, rows: int, columns: int) -> np.ndarray:
    """The cells from the first to the last, by the step into each, row after row. -> [P, 2]"""
    i, j = rows - 1, columns - 1
    cells = [(i, j)]
    while i or j:
        taken = steps[i * columns + j]
        i, j = i - (taken != RIGHT), j - (taken != DOWN)
        cells.append((i, j))
    return np.array(cells[::-1])
