"""Call a function in a child process with limits of time and memory: a file that crashes a decoder costs only that file.

The child is forked, so all modules are imported already, and it is reused until a call fails. It exits when its parent dies, at
the latest after its current call.

Own code, because pebble 5.2.3 (`ProcessPool(max_workers=1)`) did not replace it: the stage hung at exit, since loky's workers
waited for the pool's child; a child that was killed between two calls broke the pool for good; a new child costs 0.1 s.
"""

import contextlib
import multiprocessing
import os
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from voz.pipeline import files

GIB = 2**30
_FROM_OUTSIDE = (signal.SIGKILL, signal.SIGTERM)
CALLS = 100  # a child is replaced after this many calls, which frees what the decoders leaked


class Crashed(Exception):
    """The child was killed by a signal (such as a segmentation fault in a library), or exited."""


class Killed(Crashed):
    """Somebody else ended the child: the kernel, whose memory ran out, or a person. Another try may succeed."""


class TimedOut(Exception):
    """The call took longer than allowed, and the child was killed."""


class _Child:
    """A forked process that computes one call after the other."""

    def __init__(self, limit_bytes: int) -> None:
        context = multiprocessing.get_context("fork")
        self.parent_pid, self.limit_bytes, self.calls = os.getpid(), limit_bytes, 0
        self.connection, childs_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(childs_end, self.connection, limit_bytes), daemon=True)
        self.process.start()
        childs_end.close()

    def call(self, function: Callable[..., Any], args: tuple[Any, ...], limit_s: float) -> tuple[Any, Exception | None]:
        """The result or the exception of the function; the other is None.

        Raises:
            Crashed, TimedOut: see there. The child must be ended.
        """
        self.calls += 1
        with contextlib.suppress(BrokenPipeError):  # the child died since the last call: `recv` below fails and reports it
            self.connection.send((os.getcwd(), function, args))
        if not self.connection.poll(limit_s):
            raise TimedOut(f"not finished after {limit_s:.0f} s")
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):
            self.process.join()
            code = self.process.exitcode or 0
            kind = Killed if -code in _FROM_OUTSIDE else Crashed
            raise kind(signal.Signals(-code).name if code < 0 else f"exit status {code}") from None

    def end(self) -> None:
        """Kill the process, whatever it is doing."""
        self.process.kill()
        self.process.join()
        self.connection.close()


_child: _Child | None = None  # of this process


def call(function: Callable[..., Any], *args: Any, limit_s: float, limit_bytes: int = GIB, calls: int = CALLS) -> Any:
    """Return `function(*args)`, computed in a child process.

    Args:
        function: importable by name, or defined before the child was forked.
        limit_s: wall time.
        limit_bytes: memory that the child may allocate beyond what this process had at the fork.
        calls: the child is replaced after this many calls; 1 gives each call its own process.

    Raises:
        Crashed, TimedOut: see there.
        MemoryError: the child needed more than `limit_bytes`.
        Exception: whatever `function` raised.
    """
    global _child
    if _child is not None and _child.parent_pid != os.getpid():
        _child = None  # this process was forked, and the child is its parent's
    if _child is not None and (_child.calls >= calls or _child.limit_bytes != limit_bytes or not _child.process.is_alive()):
        _child.end()
        _child = None
    if _child is None:
        _child = _Child(limit_bytes)
    reusable = False
    try:
        result, error = _child.call(function, args, limit_s)
        reusable = not isinstance(error, MemoryError)
    finally:
        if not reusable:  # also when this process is interrupted
            _child.end()
            _child = None
    if error is not None:
        raise error
    return result


def _serve(connection: Connection, parents_end: Connection, limit_bytes: int) -> None:
    """The child: set the limits, then compute calls until the parent closes the connection."""
    parents_end.close()  # or this copy would keep the connection open after the parent's death
    files.leave_locks_to_the_parent()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which kills this process
    ceiling = _used_bytes() + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # on damaged files, C libraries print a complaint per packet
    while True:
        try:
            folder, function, args = connection.recv()
        except EOFError:
            return
        os.chdir(folder)  # the parent may have changed its working directory since the fork
        connection.send(_result(function, args))


def _result(function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[Any, Exception | None]:
    try:
        return function(*args), None
    except MemoryError as error:
        return None, MemoryError(str(error))  # numpy's subclass cannot be unpickled
    except Exception as error:  # noqa: BLE001 - sent to the parent, which raises it
        return None, error


def _used_bytes() -> int:
    """Address space of this process. Without /proc (macOS): 8 GiB, about what Python with numpy maps."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[0]) * resource.getpagesize() if statm.exists() else 8 * GIB
