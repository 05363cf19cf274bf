"""Call a function in a child process with limits of time and memory: a file that crashes a decoder costs only that file.

The child is forked, so it starts with everything imported, and serves the calls of this process until one fails.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIB = 2**30
CALLS = 100  # after so many a child retires, with whatever the decoders leaked


class Crashed(Exception):
    """The child died of a signal (a fault in a library), or was killed."""


class TimedOut(Exception):
    """The child took longer than allowed and was killed."""


class _Child:
    """A forked process that answers calls one by one."""

    def __init__(self, limit_bytes: int) -> None:
        context = multiprocessing.get_context("fork")
        self.owner, self.limit_bytes, self.calls = os.getpid(), limit_bytes, 0
        self.line, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.line, limit_bytes), daemon=True)
        self.process.start()
        theirs.close()

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], limit_s: float) -> Any:
        """Returns (result, None) or (None, error); raises Crashed or TimedOut."""
        self.calls += 1
        with contextlib.suppress(BrokenPipeError):  # it died between two calls: recv says so
            self.line.send((os.getcwd(), function, args))
        if not self.line.poll(limit_s):
            raise TimedOut(f"no end after {limit_s:.0f} s")
        try:
            return self.line.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode or 0
            raise Crashed(signal.Signals(-code).name if code < 0 else f"exit status {code}") from None

    def end(self) -> None:
        """Kill it, whatever it does."""
        self.process.kill()
        self.process.join()
        self.line.close()


_child: _Child | None = None


def call(function: Callable[..., Any], *args: Any, limit_s: float, limit_bytes: int = GIB, calls: int = CALLS) -> Any:
    """Return `function(*args)`, computed in a child process.

    Args:
        function: importable by name, or defined before this process made its child.
        limit_s: wall time.
        limit_bytes: memory that the child may add to what this process has.
        calls: a child that has answered so many is replaced by a new one; 1 gives each call a process of its own.

    Raises:
        Crashed, TimedOut: see there.
        MemoryError: the child needed more than `limit_bytes`.
        Exception: whatever `function` raised.
    """
    global _child
    if _child is not None and _child.owner != os.getpid():
        _child = None  # of the process that this one was forked from
    if _child is not None and (_child.calls >= calls or _child.limit_bytes != limit_bytes or not _child.process.is_alive()):
        _child.end()
        _child = None
    if _child is None:
        _child = _Child(limit_bytes)
    fine = False
    try:
        result, error = _child.call(function, args, limit_s)
        fine = not isinstance(error, MemoryError)
    finally:
        if not fine:  # crashed, out of memory, too slow, or this process is being interrupted
            _child.end()
            _child = None
    if error is not None:
        raise error
    return result


def _serve(line: multiprocessing.connection.Connection, parents: multiprocessing.connection.Connection, limit_bytes: int) -> None:
    parents.close()  # so that the line ends when the parent does
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    ceiling = _used_bytes() + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries complain of damaged files there, once per packet
    while True:
        try:
            folder, function, args = line.recv()
        except EOFError:
            return
        os.chdir(folder)  # where relative paths begin, also if the parent has moved since it forked
        line.send(_answer(function, args))


def _answer(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return function(*args), None
    except MemoryError as raised:
        return None, MemoryError(str(raised))  # numpy's own kind does not pass through a pipe
    except Exception as raised:  # noqa: BLE001 - carried to the parent, which raises it
        return None, raised


def _used_bytes() -> int:
    """Address space of this process; without /proc (macOS) the limit counts from 8 GiB, what a Python with numpy maps."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 8 * GIB
