"""Outputs that are whole or not there: a stage that fails leaves no folder that looks finished."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voz.pipeline.cache import fresh_folder


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give `path` as an empty folder to fill; if the block fails, the folder is removed."""
    fresh_folder(path)
    try:
        yield path
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise
