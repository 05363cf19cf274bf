"""voz/pipeline/sandbox.py: a call that crashes, exhausts the memory or hangs fails alone."""

import ctypes
import faulthandler
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from voz.pipeline import sandbox

ROOT = Path(__file__).parent.parent


def test_crash_memory_and_time_limit_fail_one_call() -> None:
    with pytest.raises(sandbox.Crashed, match="SIGSEGV"):
        sandbox.call(_crash, limit_s=10)
    with pytest.raises(MemoryError):
        sandbox.call(_allocate, 2 * sandbox.GIB, limit_s=10)
    with pytest.raises(sandbox.TimedOut):
        sandbox.call(_hang, limit_s=0.2)
    with pytest.raises(ValueError, match="not a number"):
        sandbox.call(_refuse, limit_s=10)
    assert sandbox.call(_allocate, sandbox.GIB // 4, limit_s=10) == sandbox.GIB // 4


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_child_that_somebody_ended_is_told_apart(number: signal.Signals) -> None:
    """By the kernel, when memory runs out: another try may succeed."""
    with pytest.raises(sandbox.Killed, match=number.name):
        sandbox.call(signal.raise_signal, number, limit_s=10)


def test_a_child_is_reused_until_a_call_fails() -> None:
    first = sandbox.call(os.getpid, limit_s=10)
    assert first != os.getpid() and sandbox.call(os.getpid, limit_s=10) == first
    with pytest.raises(ValueError, match="not a number"):  # an exception of the function itself is not a failure of the child
        sandbox.call(_refuse, limit_s=10)
    assert sandbox.call(os.getpid, limit_s=10) == first
    with pytest.raises(sandbox.TimedOut):
        sandbox.call(_hang, limit_s=0.2)
    assert sandbox.call(os.getpid, limit_s=10) != first


def test_a_child_that_was_killed_between_two_calls_is_replaced() -> None:
    first = sandbox.call(os.getpid, limit_s=10)
    os.kill(first, signal.SIGKILL)
    for _ in range(100):
        try:
            assert sandbox.call(os.getpid, limit_s=10) != first
            break
        except sandbox.Crashed:  # it was still alive when the call began
            time.sleep(0.01)
    else:
        raise AssertionError("no new child")


def test_a_child_ends_with_its_parent() -> None:
    code = "import os, time; from voz.pipeline import sandbox; print(sandbox.call(os.getpid, limit_s=10), flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)  # it is there
    parent.kill()
    parent.communicate()
    for _ in range(500):
        if _is_gone(child):
            return
        time.sleep(0.01)
    raise AssertionError(f"process {child} outlived its parent")


def _is_gone(pid: int) -> bool:
    """True if the process ended, also if nobody has waited for it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _crash() -> None:
    faulthandler.disable()  # pytest enables it, and it prints a page
    ctypes.string_at(0)


def _allocate(size: int) -> int:
    return len(np.ones(size, np.uint8))


def _hang() -> None:
    time.sleep(60)


def _refuse() -> None:
    raise ValueError("not a number")
