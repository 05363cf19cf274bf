"""What a person may change while a stage reads it: corrections, texts to speak, the folder of notes.

DVC takes the hashes of a stage's inputs again when the stage has ended. So a change that came too late for the stage would count as
processed, and `dvc repro` would say that everything is up to date. A stage that ends with an error is run again.
"""

import os
from pathlib import Path

from voz.pipeline import files
from voz.pipeline.command import UserError


class Seen:
    """A file, or a folder, as it is now."""

    def __init__(self, path: Path) -> None:
        self.path, self.state = path, _state(path)

    def require_same(self) -> None:
        """Called when all outputs are written.

        Raises:
            UserError: it has changed.
        """
        if _state(self.path) != self.state:
            raise UserError("{path}: changed while this ran", "run `dvc repro` again: what was computed is kept", path=self.path)


def _state(path: Path) -> object:
    """The hash of a file; names, sizes and times of a folder's files."""
    if not path.is_dir():
        return files.hash_file(path) if path.is_file() else None
    found = [Path(parent, name) for parent, _, names in os.walk(path) for name in names]
    return sorted((str(each), stat.st_size, stat.st_mtime_ns) for each in found if (stat := each.lstat()))
