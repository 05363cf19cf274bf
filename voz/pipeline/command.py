"""How every command ends: one-line errors, exit statuses, signals; and libraries kept quiet.

Exit status: 0 done · 2 the user can fix it (one line: what and where, what to do) · 1 the machine failed (disk full,
read-only, out of memory) · 130 interrupted · 143 terminated.
"""

import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_OUT_OF_MEMORY = "out of memory; close other programs, or lower train.batch_size in params.yaml and raise train.grad_accumulation"
DISK_FAULTS = {  # of writing: what is wrong with the place, and what to do
    errno.ENOSPC: ("no space left", "free some (`make clean-cache`, `dvc gc -w`)"),
    errno.EDQUOT: ("disk quota exceeded", "free some space (`make clean-cache`, `dvc gc -w`)"),
    errno.EROFS: ("read-only file system", "make it writable"),
    errno.EFBIG: ("file too large for this file system or its limits", "use another disk, or raise `ulimit -f`"),
}
_MACHINE_FAULTS = DISK_FAULTS | {
    errno.EACCES: ("permission denied", "change its permissions"),
    errno.EPERM: ("operation not permitted", "change its permissions or attributes"),
    errno.EIO: ("disk fault", "check the disk"),
}


_WRONG_PATHS = {
    errno.ENOENT: "missing; `dvc repro` makes it, `dvc pull` fetches it",
    errno.ENOTDIR: "a part of this path is a file, not a folder; move that file away",
    errno.EISDIR: "a folder is in the place of this file; move it away",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "a link that leads to itself; remove it",
}


class UserError(Exception):
    """Something the user can fix: `what` is wrong (and where), and the `fix`. Printed as one line, "what; fix"."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(f"{what}; {fix}")
        self.what, self.fix = what, fix


class Terminated(BaseException):
    """SIGTERM arrived. Raised wherever the program was, so that `finally` blocks run and a stage can save."""


def run(main: Callable[[], None]) -> None:
    """Run a command's `main` and exit with the status that its outcome calls for. Never returns."""
    quiet_libraries()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        main()
    except UserError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted; run the same command again to go on", 130)
    except Terminated:
        _fail("terminated; run the same command again to go on", 143)
    except MemoryError:
        _fail(_OUT_OF_MEMORY, 1)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch.OutOfMemoryError, by name: most commands do not import torch
            raise
        _fail(_OUT_OF_MEMORY, 1)
    except OSError as error:
        if error.errno in _MACHINE_FAULTS:
            _fail(_machine_fault(error), 1)
        if error.errno not in _WRONG_PATHS or not isinstance(error.filename, str | bytes):
            raise
        _fail(f"{os.fsdecode(error.filename)}: {_WRONG_PATHS[error.errno]}", 2)
    sys.exit(0)


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Within the block, the first SIGINT or SIGTERM is only appended to the list, so that long work can stop where it can save.

    A second signal raises `KeyboardInterrupt` or `Terminated` at once.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        if received:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        received.append(number)

    previous = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def quiet_libraries() -> None:
    """Hide the warnings of libraries, about which a user can do nothing. Their errors still show."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # from the training recipe; with "true", forked workers deadlock
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.filterwarnings("ignore")
    for name in ("TTS", "trainer", "transformers", "sox", "numba", "matplotlib", "torio", "torchaudio", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _machine_fault(error: OSError) -> str:
    """A fault of the machine as one line: the place, what is wrong with it, what to do."""
    what, fix = _MACHINE_FAULTS[error.errno or 0]
    path = error.filename2 or error.filename  # of a copy, the second is the target
    if path is None or isinstance(path, int):
        return f"{what}; {fix}, then run again"
    path = os.fsdecode(path)
    disk = f" on {_mount_point(path)}" if error.errno in DISK_FAULTS else ""
    return f"{path}: {what}{disk}; {fix}, then run again: no output is left half written"


def _mount_point(path: str) -> str:
    """The folder at which the disk that holds a path, or will hold it, is mounted."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _fail(line: str, status: int) -> None:
    print(f"error: {line}" if status not in (130, 143) else line, file=sys.stderr)
    sys.exit(status)
