"""Tests for what computes the next item while this one is in work. (`parallel.map`: test_poisoned.py, test_cluster.py.)"""

import threading
import time

import pytest

from voz.pipeline import parallel

LIMIT_S = 60.0


def test_the_next_value_is_computed_while_the_caller_works() -> None:
    computed = [threading.Event() for _ in range(4)]

    def square(number: int) -> int:
        computed[number].set()
        return number * number

    values = []
    for number, value in parallel.ahead(square, range(4)):
        values.append((number, value))
        assert number == 3 or computed[number + 1].wait(LIMIT_S)
    assert values == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_an_error_comes_in_its_turn_and_nothing_is_computed_after_the_caller_stopped() -> None:
    pairs = parallel.ahead(int, ["1", "x", "2"])
    assert next(pairs) == ("1", 1)
    with pytest.raises(ValueError, match="invalid literal"):
        next(pairs)
    seen: list[int] = []
    stopped = parallel.ahead(seen.append, range(100))
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    before = len(seen)
    time.sleep(0.1)
    assert before == len(seen) <= 3
