"""The command line that most steps share."""

import argparse
from pathlib import Path


def arguments(description: str | None, *paths: str, steps: int | None = None, threads: bool = True) -> argparse.ArgumentParser:
    """A parser of some paths in order, of `--threads` unless the step chooses them, of `--steps` if a default is given (the trainings)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for path in paths:
        parser.add_argument(path, type=Path)
    if threads:
        parser.add_argument("--threads", type=int, default=1)
    if steps is not None:
        parser.add_argument("--steps", type=int, default=steps)
    return parser
