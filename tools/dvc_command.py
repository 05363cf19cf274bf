"""Run a command of DVC, for the tools that put data under it or change its remotes."""

import subprocess
import sys
from pathlib import Path

from voz.pipeline.command import UserError
from voz.pipeline.language import tr


def dvc(*arguments: str, fix: str) -> None:
    """Run a command quietly.

    Args:
        fix: what the user should do if DVC refuses.

    Raises:
        UserError: DVC refuses; quotes the first line of its message.
    """
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        message = (done.stderr.strip() or done.stdout.strip() or tr("no message")).splitlines()[0].removeprefix("ERROR: ")
        words = " ".join(each for each in arguments if not each.startswith("-"))
        raise UserError("dvc {words}: {message}", "{fix}", words=words, message=message, fix=fix)


def dvc_add(*paths: Path, fix: str) -> None:
    """Put files or folders under DVC. See `dvc`."""
    dvc("add", "--quiet", "--", *map(str, paths), fix=fix)
