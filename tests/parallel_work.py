"""Work for the processes of joblib and Ray, in a module that they can import."""

import os
import time
from pathlib import Path


def touch_and_wait(folder: Path, number: int) -> int:
    """Note that the item ran, and take a moment."""
    with open(folder / str(number), "a") as file:
        file.write("x")
    time.sleep(0.3)
    return number * number


def square_or_die(poison: int, number: int) -> int:
    """The square; the poisoned number ends its process."""
    if number == poison:
        os._exit(7)
    return number * number


def fill_or_die(poison: int, number: int, folder: Path) -> None:
    """The work of a cache: as `square_or_die`."""
    (folder / "square").write_text(str(square_or_die(poison, number)))


def squares_or_die(poison: int, batch: list[int]) -> list[int]:
    """The work of a cache that computes batches: as `square_or_die`."""
    return [square_or_die(poison, number) for number in batch]
