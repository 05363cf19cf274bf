"""Put the corrections file into DVC's cache when the page starts and when it ends.

Decisions that DVC has not seen are in the working file alone, and `dvc exp apply` overwrites that file without asking.
"""

import hashlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tools.dvc_command import dvc
from voz.data import corrections
from voz.pipeline import command, files
from voz.pipeline.command import UserError
from voz.pipeline.language import tr


@contextmanager
def filled(path: Path, python: Path) -> Iterator[None]:
    """Add a corrections file to DVC beside the block's start, so that the page does not wait for it, and again after its end.

    Args:
        python: of the environment that has DVC.
    """
    start = threading.Thread(target=add, args=(path, python))
    start.start()
    try:
        yield
    finally:
        start.join()
        add(path, python)


def add(path: Path, python: Path) -> None:
    """`dvc add` a corrections file if DVC tracks it and has other bytes. If that fails, one line says so: the decisions are stored."""
    if not differs(path):
        return
    fix = tr("your decisions are in the file, but only there: `dvc add {path}` before `dvc exp apply` or `dvc checkout`", path=path)
    try:
        with corrections.locked(path):  # a decision must not replace the file between DVC's hash and its copy
            # Not linked back into the working tree: that would replace what somebody has just saved in an editor.
            dvc("add", "--no-relink", "--", str(path), fix=fix, python=python)
    except UserError as error:
        _warn(str(error))
    except OSError as error:
        if error.errno not in command.MACHINE_FAULTS:
            raise
        _warn(command.machine_fault(error))


def differs(path: Path) -> bool:
    """True if DVC tracks a file, and the file that is there has other bytes than DVC remembers."""
    pointer = files.dvc_pointer(path)
    if not (path.is_file() and pointer.is_file()):
        return False
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() not in pointer.read_text(encoding="utf-8")


def _warn(line: str) -> None:
    with suppress(OSError):  # the terminal was closed: that ends the page, too
        print(tr("warning: {line}", line=line), file=sys.stderr, flush=True)
