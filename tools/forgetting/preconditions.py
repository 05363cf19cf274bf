"""What must hold before `make forget` looks at anything: no command of DVC is at work, and what it would write again is all here."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from dvc.lock import LockError
from dvc.repo import Repo, lock_repo
from dvc.rwlock import RWLOCK_FILE, SCHEMA, RWLockFileCorruptedError
from voluptuous import Invalid

from voz.pipeline import files
from voz.pipeline.command import UserError


def not_checked_out(paths: list[Path]) -> list[Path]:
    """Those that DVC tracks and that are not checked out: missing, an empty folder, or with links to files that DVC's cache lacks."""
    return [path for path in paths if files.dvc_pointer(path).is_file() and not _is_whole(path)]


def _is_whole(path: Path) -> bool:
    if not path.is_dir():
        return path.exists()
    inside = [each for each in path.rglob("*") if each.is_symlink() or not each.is_dir()]
    return bool(inside) and all(each.exists() for each in inside)


@contextmanager
def no_dvc_at_work(repo: Repo) -> Iterator[None]:
    """Within the block, no other command of DVC can start in this checkout.

    Raises:
        UserError: one is at work, here or in a copy of the checkout that an experiment made.
    """
    try:
        with lock_repo(repo):
            require_no_stage(repo)
            yield
    except LockError as error:
        raise UserError("another DVC command is at work here", "wait for it, then run this again; nothing was removed") from error


def require_no_stage(repo: Repo) -> None:
    """Check that no stage runs: DVC releases its lock meanwhile, and lists what the stage reads and writes instead.

    Raises:
        UserError: one runs; names its process.
        DvcException: a list cannot be read.
    """
    here = Path(repo.dvc_dir) / "tmp"
    patterns = ("", "exps/", "exps/*/.dvc/tmp/", "exps/*/*/.dvc/tmp/")  # here, and in the copies that experiments run in
    for path in sorted(path for pattern in patterns for path in here.glob(f"{pattern}{RWLOCK_FILE}")):
        for pid, command in _users(path):
            if pid != os.getpid() and psutil.pid_exists(pid):
                raise UserError(
                    "process {pid} is at work here: {command}",
                    "wait for it, then run this again; nothing was removed. If it is not DVC, remove {path}",
                    pid=pid,
                    command=command,
                    path=path,
                )


def _users(path: Path) -> list[tuple[int, str]]:
    """(process, its command) of each reader and writer that DVC listed.

    Raises:
        RWLockFileCorruptedError: not such a list, or DVC is just writing it.
    """
    try:
        users = SCHEMA(json.loads(path.read_bytes()))
    except (ValueError, Invalid) as error:
        raise RWLockFileCorruptedError(str(path)) from error
    entries = [*users["write"].values(), *(each for readers in users["read"].values() for each in readers)]
    return [(entry["pid"], entry["cmd"]) for entry in entries]
