"""Call a function in a child process with limits of time and memory: a file that crashes a decoder costs only that file.

The child is forked (about 3 ms), so it starts with everything imported. Its result comes back through a pipe.
"""

import multiprocessing
import multiprocessing.connection
import os
import resource
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

GIB = 2**30


class Crashed(Exception):
    """The child died of a signal (a fault in a library), or was killed."""


class TimedOut(Exception):
    """The child took longer than allowed and was killed."""


def call(function: Callable[..., Any], *args: Any, limit_s: float, limit_bytes: int = GIB) -> Any:
    """Return `function(*args)`, computed in a child process.

    Args:
        limit_s: wall time.
        limit_bytes: memory that the child may add to what this process has.

    Raises:
        Crashed, TimedOut: see there.
        MemoryError: the child needed more than `limit_bytes`.
        Exception: whatever `function` raised.
    """
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(theirs, function, args, limit_bytes))
    child.start()
    theirs.close()
    try:
        if not ours.poll(limit_s):
            raise TimedOut(f"no end after {limit_s:.0f} s")
        try:
            result, error = ours.recv()
        except EOFError:
            child.join()
            code = child.exitcode or 0
            raise Crashed(signal.Signals(-code).name if code < 0 else f"exit status {code}") from None
    finally:
        if child.is_alive() and not ours.closed:
            child.join(0.05)  # it has answered and is on its way out, unless it hangs
        child.kill()
        child.join()
        ours.close()
    if error is not None:
        raise error
    return result


def _child(answer: multiprocessing.connection.Connection, function: Callable[..., Any], args: tuple[Any, ...], limit_bytes: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which kills this process
    ceiling = _used_bytes() + limit_bytes
    resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # C libraries complain of damaged files there, once per packet
    result: Any = None
    error: Exception | None = None
    try:
        result = function(*args)
    except MemoryError as raised:
        error = MemoryError(str(raised))  # numpy's own kind does not pass through a pipe
    except Exception as raised:  # noqa: BLE001 - carried to the parent, which raises it
        error = raised
    answer.send((result, error))


def _used_bytes() -> int:
    """Address space of this process; without /proc (macOS) the limit counts from 8 GiB, what a Python with numpy maps."""
    status = Path("/proc/self/statm")
    return int(status.read_text().split()[0]) * resource.getpagesize() if status.exists() else 8 * GIB
