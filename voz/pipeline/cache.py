"""A content-addressed scratch, so that a stage recomputes only the items that changed.

An entry lives in `${DVC_ROOT:-.}/.cache/<stage>/<key>/`; the key is a hash of the item's bytes, the parameters that
matter, the model, and the step's version (an integer raised by hand: a comment must not retrain). Entries are written
into a temporary folder and renamed, so a killed stage leaves none half done and concurrent writers are safe. They are not
flushed to the disk, which would cost more time than the work: each knows the sizes of its files, and one that a power cut
shortened is made again. Deleting `.cache` costs only time. DVC_ROOT is the main checkout even in DVC's temporary copies:
experiments share the scratch.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from voz.pipeline.command import UserError

LOG = "log"
LABEL = (
    ".label.json"  # in each entry: what its key was made of, by which tools.forgetting.forget finds what a note left, and its files' sizes
)


def root() -> Path:
    """The scratch folder of this checkout."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / ".cache"


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, names: list[str]) -> str:
    """SHA-256 over some files of a folder (names and bytes), hex."""
    parts = [f"{name}:{hash_file(folder / name)}" for name in sorted(names)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


class Key(str):
    """Name of an entry. It remembers what it was made of, also on its way to a worker process."""

    parts: tuple[str, ...] = ()


class Scratch:
    """The entries of one stage under one set of parameters.

    Args:
        stage: name of the folder.
        version: of the step's code; raise it when the same input gives another output.
        params: what of the parameters matters to an item; JSON values.
        model: hash of the model that an item passes through, if any.
    """

    def __init__(self, stage: str, version: int, *, params: dict[str, Any], model: str = "") -> None:
        self.folder = root() / stage
        self._salt = json.dumps([stage, version, params, model], sort_keys=True)

    def key(self, *parts: str) -> Key:
        """Key of an item, from what it is made of (hashes, ids)."""
        key = Key(hashlib.sha256(json.dumps([self._salt, *parts]).encode()).hexdigest()[:32])
        key.parts = parts
        return key

    def path(self, key: str) -> Path:
        """Where the entry is or would be."""
        return self.folder / key[:2] / key

    def get(self, key: str) -> Path | None:
        """The entry's folder, or None. Marks it as used, which delays its removal."""
        path = self.path(key)
        if not path.is_dir():
            return None
        if not _is_whole(path):
            self.drop(key)
            return None
        os.utime(path)
        return path

    @contextmanager
    def put(self, key: str) -> Iterator[Path]:
        """Give a temporary folder to fill; it becomes the entry when the block ends without an exception."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=path.parent))
        try:
            yield temporary
            parts = key.parts if isinstance(key, Key) else ()
            (temporary / LABEL).write_text(json.dumps({"made_of": parts, "bytes": _sizes(temporary)}), encoding="utf-8")
            try:
                os.replace(temporary, path)
            except OSError:
                if not path.is_dir():  # another process was first: its entry is as good
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def drop(self, key: str) -> None:
        """Remove an entry."""
        shutil.rmtree(self.path(key), ignore_errors=True)


def _sizes(entry: Path) -> dict[str, int]:
    """Bytes of each file of an entry but its label."""
    files = (path for path in sorted(entry.rglob("*")) if path.is_file() and path.name != LABEL)
    return {path.relative_to(entry).as_posix(): path.stat().st_size for path in files}


def _is_whole(entry: Path) -> bool:
    """Whether a label is there and the files that it names have their sizes."""
    try:
        label = json.loads((entry / LABEL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    sizes = label.get("bytes") if isinstance(label, dict) else None
    return isinstance(sizes, dict) and sizes.items() <= _sizes(entry).items()


def write_json(entry: Path, name: str, values: dict[str, Any]) -> None:
    """Write values into an entry that is being filled."""
    (entry / name).write_text(json.dumps(values, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def place(source: Path, target: Path) -> None:
    """Put a scratch file into a stage's output as a file of its own (a link would let an edit reach the scratch)."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.copyfile(source, temporary)
    os.replace(temporary, target)


def fresh_folder(path: Path) -> Path:
    """Make `path` an empty folder: stages rebuild their outputs whole, so no orphan survives."""
    if path.is_dir():
        shutil.rmtree(path)
    path.mkdir(parents=True)
    return path


def require_free(folder: Path, need_bytes: int, *, what: str) -> None:
    """Refuse long work that the disk cannot hold.

    Raises:
        UserError: less than `need_bytes` are free where `folder` is or will be.
    """
    at = next(p for p in [folder.resolve(), *folder.resolve().parents] if p.exists())
    free = shutil.disk_usage(at).free
    if free < need_bytes:
        raise UserError(
            f"{at}: {free / 1e9:.1f} GB free, {what} needs {need_bytes / 1e9:.1f} GB", "free some (`make clean-scratch`, `dvc gc -w`)"
        )


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the folder of a training, and sweep out what a killed process was writing there (a full-size state has 5.3 GB).

    Raises:
        UserError: another process is at the same training.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # released by the system however the process ends
        except BlockingIOError as error:
            raise UserError(f"{folder}: another process is at this very training", "wait for it, then run again") from error
        for left in folder.glob(".*.tmp"):
            left.unlink()
        yield


def trim(limit_gb: float) -> None:
    """Remove the entries used longest ago until the scratch fits the limit. The log stays."""
    entries = []
    for path in root().glob("*/??/*"):
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        entries.append((path.stat().st_mtime, size, path))
    over = sum(size for _, size, _ in entries) - limit_gb * 1e9
    for _, size, path in sorted(entries):
        if over <= 0:
            return
        shutil.rmtree(path, ignore_errors=True)
        over -= size


def log(stage: str, **values: Any) -> None:
    """Append run-dependent values (counts, seconds, device) to `.cache/log/<stage>.jsonl`: never into an output."""
    path = root() / LOG / f"{stage}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **values}, sort_keys=True) + "\n"
    with open(path, "a", encoding="utf-8") as file:
        file.write(line)


def read_log(stage: str) -> list[dict[str, Any]]:
    """All lines of a stage's log, oldest first."""
    path = root() / LOG / f"{stage}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
