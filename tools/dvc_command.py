"""Run a command of DVC, for the tools that put data under it or change its remotes."""

import errno
import os
import subprocess
import sys
from pathlib import Path

from voz.pipeline import files
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

_ERROR = "ERROR: "


def dvc(*arguments: str, fix: str, python: str | Path = sys.executable) -> None:
    """Run a command quietly.

    Args:
        fix: what the user should do if DVC refuses.
        python: of the environment that has DVC.

    Raises:
        UserError: DVC refuses; quotes its error.
        OSError: the disk is full.
    """
    done = subprocess.run([str(python), "-m", "dvc", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in f"{done.stderr}\n{done.stdout}".splitlines() if line.strip()] or [tr("no message")]
        message = next((line for line in lines if line.startswith(_ERROR)), lines[0]).removeprefix(_ERROR)
        if f"[Errno {errno.ENOSPC}]" in message:  # DVC does not say which disk
            written = [Path(), Path(".dvc"), *(Path(each) for each in arguments if Path(each).exists())]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(min(written, key=files.free_bytes)))
        words = " ".join(each for each in arguments if not each.startswith("-"))
        raise UserError("dvc {words}: {message}", "{fix}", words=words, message=message, fix=fix)


def dvc_add(*paths: Path, fix: str) -> None:
    """Put files or folders under DVC. See `dvc`."""
    dvc("add", "--", *map(str, paths), fix=fix)  # not --quiet: DVC would not say what is wrong
