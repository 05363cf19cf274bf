"""A disk of a few pages (tmpfs), which needs root to mount, and what a command says when it is full."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

PAGE = 4096


@pytest.fixture
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Disk"]:
    path = tmp_path_factory.mktemp("small")
    if os.geteuid() != 0 or subprocess.run(["mount", "-t", "tmpfs", "none", path], capture_output=True, check=False).returncode:
        pytest.skip("mounting a disk needs root")
    try:
        yield Disk(path)
    finally:
        subprocess.run(["umount", path], check=True)


class Disk:
    """A mounted tmpfs."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def used(self) -> int:
        """Bytes in use."""
        return shutil.disk_usage(self.path).used

    def remount(self, options: str) -> None:
        """Change its size or whether it can be written."""
        subprocess.run(["mount", "-o", f"remount,{options}", self.path], check=True)

    def fill(self) -> None:
        """Leave no byte free."""
        with suppress(OSError), open(self.path / "filling", "wb", buffering=0) as file:
            while True:
                file.write(bytes(PAGE))

    def clear(self) -> None:
        """Remove everything."""
        for path in self.path.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def require_one_line(status: int, stderr: list[str], what: str, disk: Path, *, shown: str = "") -> None:
    """The command failed with one line on stderr, which names a path on the disk, and the disk.

    shown: how the message writes the disk's path, if otherwise than it is given.
    """
    assert status == 1 and len(stderr) == 1, stderr
    assert stderr[0].startswith(f"error: {shown or disk}/") and f": {what} on {disk}; " in stderr[0], stderr
