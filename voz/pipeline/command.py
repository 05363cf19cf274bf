"""How every command ends: one-line errors, exit statuses, signals; and libraries kept quiet.

Exit status: 0 done · 2 the user can fix it (one line: what and where, what to do) · 1 the machine failed (disk full,
read-only, out of memory) · 130 interrupted · 143 terminated · 129 the terminal was closed.
"""

import errno
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import PurePath
from types import FrameType

from voz.pipeline.language import later, tr

_OUT_OF_MEMORY = later('out of memory; close other programs, or train what takes less: docs/choosing.md, "Which card"')
DISK_FAULTS = {  # of writing: what is wrong with the place, and what to do
    errno.ENOSPC: (later("no space left"), later("free some (`make clean-cache`, `dvc gc -w`)")),
    errno.EDQUOT: (later("disk quota exceeded"), later("free some space (`make clean-cache`, `dvc gc -w`)")),
    errno.EROFS: (later("read-only file system"), later("make it writable")),
    errno.EFBIG: (later("file too large for this file system or its limits"), later("use another disk, or raise `ulimit -f`")),
}
MACHINE_FAULTS = DISK_FAULTS | {
    errno.EACCES: (later("permission denied"), later("change its permissions")),
    errno.EPERM: (later("operation not permitted"), later("change its permissions or attributes")),
    errno.EIO: (later("disk fault"), later("check the disk")),
}


_WRONG_PATHS = {
    errno.ENOENT: later("missing; `dvc repro` makes it, `dvc pull` fetches it"),
    errno.ENOTDIR: later("a part of this path is a file, not a folder; move that file away"),
    errno.EISDIR: later("a folder is in the place of this file; move it away"),
    errno.ENAMETOOLONG: later("the name is too long; choose a shorter one"),
    errno.ELOOP: later("a link that leads to itself; remove it"),
}


class UserError(Exception):
    """Something the user can fix: `what` is wrong (and where), and the `fix`. Printed as one line, "what; fix".

    Both are literals with `{placeholders}` for `values`, translated where they are shown. Without values, braces are left as they
    are, so a text that holds somebody's words must be a value.
    """

    def __init__(self, what: str, fix: str, /, **values: object) -> None:
        super().__init__(what, fix)
        plain = (int, float, str, PurePath)  # the rest as text, so that the error can pass between processes
        self._values = {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}

    @property
    def what(self) -> str:
        return tr(self.args[0], **self._values)

    @property
    def fix(self) -> str:
        return tr(self.args[1], **self._values)

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}"


class Terminated(BaseException):
    """SIGTERM arrived, or SIGHUP: the terminal was closed. Raised wherever the program was, so that `finally` blocks run.

    number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(main: Callable[[], None]) -> None:
    """Run a command's `main` and exit with the status that its outcome calls for. Never returns."""
    quiet_libraries()
    for number in _heeded(signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        main()
    except UserError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _end(tr("interrupted; run the same command again to go on"), 128 + signal.SIGINT)
    except Terminated as terminated:
        _end(tr("terminated; run the same command again to go on"), 128 + terminated.number)
    except MemoryError:
        _fail(tr(_OUT_OF_MEMORY), 1)
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch.OutOfMemoryError, by name: most commands do not import torch
            raise
        _fail(tr(_OUT_OF_MEMORY), 1)
    except OSError as error:
        if error.errno in MACHINE_FAULTS:
            _fail(machine_fault(error), 1)
        if error.errno not in _WRONG_PATHS or not isinstance(error.filename, str | bytes):
            raise
        _fail(f"{os.fsdecode(error.filename)}: {tr(_WRONG_PATHS[error.errno])}", 2)
    sys.exit(0)


def ask(question: str) -> str:
    """What the person answers.

    Raises:
        UserError: the input ended, by Ctrl-D for instance.
    """
    try:
        return input(question).strip()
    except EOFError as error:
        raise UserError("no answer", "run it again, and answer the questions") from error


@contextmanager
def deferred_signals() -> Iterator[list[int]]:
    """Within the block, the first SIGINT, SIGTERM or SIGHUP is only appended to the list, so that long work can stop where it can save.

    A second signal raises `interruption` at once.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        if received:
            raise interruption(number)
        received.append(number)

    previous = {number: signal.signal(number, receive) for number in _heeded(signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield received
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def interruption(number: int) -> KeyboardInterrupt | Terminated:
    """What a signal raises."""
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated(number)


def quiet_libraries() -> None:
    """Hide the warnings of libraries, about which a user can do nothing. Their errors still show."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # from the training recipe; with "true", forked workers deadlock
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    warnings.filterwarnings("ignore")
    for name in ("TTS", "trainer", "transformers", "sox", "numba", "matplotlib", "torio", "torchaudio", "ray"):
        logging.getLogger(name).setLevel(logging.ERROR)


def machine_fault(error: OSError) -> str:
    """A fault of the machine as one line: the place, what is wrong with it, what to do."""
    what, fix = (tr(each) for each in MACHINE_FAULTS[error.errno or 0])
    path = error.filename2 or error.filename  # of a copy, the second is the target
    if path is None or isinstance(path, int):
        return tr("{what}; {fix}, then run again", what=what, fix=fix)
    path = os.fsdecode(path)
    if error.errno in DISK_FAULTS:
        what = tr("{what} on {place}", what=what, place=_mount_point(path))
    return tr("{path}: {what}; {fix}, then run again: no output is left half written", path=path, what=what, fix=fix)


def _mount_point(path: str) -> str:
    """The folder at which the disk that holds a path, or will hold it, is mounted."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def _heeded(*numbers: int) -> list[int]:
    """Those of the signals that this process is not told to ignore, as `nohup` tells it of SIGHUP."""
    return [number for number in numbers if signal.getsignal(number) is not signal.SIG_IGN]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise interruption(number)


def _fail(line: str, status: int) -> None:
    _end(tr("error: {line}", line=line), status)


def _end(line: str, status: int) -> None:
    with suppress(OSError):  # the terminal is gone
        print(line, file=sys.stderr, flush=True)
    sys.exit(status)
