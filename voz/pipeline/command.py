"""The edge of every command: one-line errors, exit codes, quiet libraries, signals.

Exit status: 0 done · 2 the user can mend it (one line: what, where, what to do) · 1 the machine failed (disk full,
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

_FULL = "out of memory; close other programs, or lower train.batch_size in params.yaml and raise train.grad_accumulation"
_MACHINE = {
    errno.EACCES: "permission denied",
    errno.ENOSPC: "no space left",
    errno.EROFS: "read-only file system",
    errno.EDQUOT: "disk quota exceeded",
    errno.EIO: "disk fault",
}


class UserError(Exception):
    """Something the user can mend: `what` (with where it was found) and `mend` (what to do about it)."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}; {mend}")
        self.what, self.mend = what, mend


class Terminated(BaseException):
    """SIGTERM, raised where the program was, so that `finally` blocks run and a stage can save."""


def run(main: Callable[[], None]) -> None:
    """Run a command's `main` and turn its end into an exit status. Calls `sys.exit`."""
    quiet()
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
        _fail(_FULL, 1)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, for an accelerator; by name: most commands need no torch
            raise
        _fail(_FULL, 1)
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        _fail(f"{error.filename or 'output'}: {_MACHINE[error.errno]}; nothing was changed: mend it and run again", 1)
    sys.exit(0)


@contextmanager
def noted_signals() -> Iterator[list[int]]:
    """Within this block SIGINT and SIGTERM are only noted in the list, for long work to stop where it can save; a second one ends it."""
    noted: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise KeyboardInterrupt if number == signal.SIGINT else Terminated
        noted.append(number)

    kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def quiet() -> None:
    """Keep libraries from printing what no user can act on. Errors still show."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # the recipe's setting; forked workers deadlock otherwise
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.filterwarnings("ignore")
    for name in ("TTS", "trainer", "transformers", "sox", "numba", "matplotlib", "torio", "torchaudio", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Terminated


def _fail(line: str, status: int) -> None:
    print(f"error: {line}" if status not in (130, 143) else line, file=sys.stderr)
    sys.exit(status)
