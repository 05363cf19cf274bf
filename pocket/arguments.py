"""The command line that the steps share."""

import argparse
from pathlib import Path


def arguments(description: str | None, *folders: str) -> argparse.ArgumentParser:
    """The command line that the steps after packing share: folders in order, and `--threads`."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    for folder in folders:
        parser.add_argument(folder, type=Path)
    parser.add_argument("--threads", type=int, default=1)
    return parser
