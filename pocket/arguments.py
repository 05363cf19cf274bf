"""The command line that most steps share."""

import argparse
from pathlib import Path


def arguments(description: str | None, *paths: str, steps: int | None = None) -> argparse.ArgumentParser:
    """A parser of some paths in order and of `--threads`; of `--steps` too where a default is given, as the trainings do."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for path in paths:
        parser.add_argument(path, type=Path)
    parser.add_argument("--threads", type=int, default=1)
    if steps is not None:
        parser.add_argument("--steps", type=int, default=steps)
    return parser
