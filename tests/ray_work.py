"""Work for a Ray cluster, in a module that its processes can import."""

import time
from pathlib import Path


def touch_and_wait(folder: Path, number: int) -> int:
    """Note that the item ran, and take a moment."""
    with open(folder / str(number), "a") as file:
        file.write("x")
    time.sleep(0.3)
    return number * number
