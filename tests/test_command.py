"""Every command ends with one line and the right exit status."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from voz.pipeline import command

ROOT = Path(__file__).parent.parent


def end(body: str) -> subprocess.CompletedProcess[str]:
    code = f"import os, signal, errno\nfrom voz.pipeline.command import UserError, run\ndef main():\n    {body}\nrun(main)\n"
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("pass", 0, ""),
        ("raise UserError('a.ogg: no audio', 'remove it')", 2, "error: a.ogg: no audio; remove it\n"),
        (
            "raise OSError(errno.ENOSPC, 'x', '/out')",
            1,
            "error: /out: no space left on /; free some (`make clean-cache`, `dvc gc -w`), then run again: "
            "no output is left half written\n",
        ),
        (
            "raise PermissionError(errno.EACCES, 'x', '/out')",
            1,
            "error: /out: permission denied; change its permissions, then run again: no output is left half written\n",
        ),
        ("raise KeyboardInterrupt", 130, "interrupted; run the same command again to go on\n"),
        ("os.kill(os.getpid(), signal.SIGTERM)", 128 + signal.SIGTERM, "terminated; run the same command again to go on\n"),
        ("os.kill(os.getpid(), signal.SIGHUP)", 128 + signal.SIGHUP, "terminated; run the same command again to go on\n"),
    ],
)
def test_status_and_line(body: str, status: int, said: str) -> None:
    done = end(body)
    assert (done.returncode, done.stderr) == (status, said)


def test_a_question_that_gets_no_answer_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(command.UserError, match="no answer"):
        command.ask("Who? ")


def test_a_bug_keeps_its_traceback() -> None:
    done = end("raise RuntimeError('bug')")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_a_command_lets_openmps_threads_wait_without_spinning() -> None:
    """Set before torch is loaded, which reads it. Who has set it keeps what they have set."""
    for given, found in ((None, "PASSIVE"), ("ACTIVE", "ACTIVE")):
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"} | (
            {"OMP_WAIT_POLICY": given} if given else {}
        )
        for package in ("stages", "tools"):
            code = f"import {package}, os, sys; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
            done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
            assert done.stdout.split() == [found, "False"]
