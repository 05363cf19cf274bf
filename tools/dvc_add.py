"""`dvc add`, for the tools that put data under DVC."""

import subprocess
import sys
from pathlib import Path

from voz.pipeline.command import UserError


def dvc_add(*paths: Path, fix: str) -> None:
    """Put files or folders under DVC.

    Args:
        fix: what the user should do if DVC refuses.

    Raises:
        UserError: DVC refuses; quotes the first line of its message.
    """
    command = [sys.executable, "-m", "dvc", "add", "--quiet", "--", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip() or "no message").splitlines()
        raise UserError("dvc add {paths}: {message}", "{fix}", paths=" ".join(map(str, paths)), message=message[0], fix=fix)
