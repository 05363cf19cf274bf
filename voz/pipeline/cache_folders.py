"""The folders of the cache (cache.py): an entry's label and files, and the temporary folder that it is filled in.

An entry is filled under a temporary name and then renamed, so a killed stage leaves no partial entry and two processes may write
the same one. What a killed process left is removed when the next one writes beside it: a run computes the same item again. Entries
are not flushed to the disk, which would take longer than the work itself. Instead each stores the sizes of its files, and an entry
that a power cut shortened is computed again.
"""

import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from voz.pipeline import files

TEMPORARY = ".tmp-"  # the start of the name of a folder that is to become an entry, or to vanish (`scratch`)
LABEL = ".label.json"  # in each entry: what its key was made of (`make forget` searches it), and the sizes of its files


def root() -> Path:
    """The folder of the cache that this checkout uses."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / ".cache"


@contextmanager
def scratch() -> Iterator[Path]:
    """Within the block, an empty folder for copies of somebody's sounds. The next one removes what kill -9 left, or `make forget`."""
    root().mkdir(parents=True, exist_ok=True)
    remove_abandoned(root())
    with temporary_folder(root()) as temporary:
        yield temporary


@contextmanager
def temporary_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder in `parent`, and remove it at the end if it is still there.

    Its label is locked meanwhile. The system releases the lock however the process ends, so whoever gets it may remove the folder.
    """
    while True:
        temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=parent))
        try:
            descriptor = files.open_locked(temporary / LABEL, wait=False)
            break
        except (BlockingIOError, FileNotFoundError):  # another process took it for abandoned before the lock was there
            continue
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        files.unlock(descriptor)


def abandoned(parent: Path) -> Iterator[Path]:
    """The temporary folders in `parent` whose process is gone, each locked until the next is asked for."""
    for temporary in parent.glob(f"{TEMPORARY}*"):
        try:
            descriptor = files.open_locked(temporary / LABEL, wait=False)
        except OSError:  # somebody is filling it, or just renamed it; or it may not be written, which filling an entry will report
            continue
        try:
            yield temporary
        finally:
            files.unlock(descriptor)


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders in `parent` whose process is gone."""
    for temporary in abandoned(parent):
        shutil.rmtree(temporary, ignore_errors=True)


def sizes(entry: Path) -> dict[str, int]:
    """Size in bytes of each file of an entry, except its label; by relative path."""
    found = (path for path in sorted(entry.rglob("*")) if path.is_file() and path.name != LABEL)
    return {path.relative_to(entry).as_posix(): path.stat().st_size for path in found}


def is_complete(entry: Path) -> bool:
    """True if the entry has a label and the files that it lists have the sizes that it states."""
    try:
        label = json.loads((entry / LABEL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    stated = label.get("bytes") if isinstance(label, dict) else None
    return isinstance(stated, dict) and stated.items() <= sizes(entry).items()


def save_json(entry: Path, name: str, values: dict[str, Any]) -> None:
    """Write values as a JSON file into the folder of an entry, every digit kept. (`files.write_json` rounds: it is for metrics.)"""
    (entry / name).write_text(json.dumps(values, ensure_ascii=False, allow_nan=False), encoding="utf-8")


def load_json(entry: Path, name: str) -> Any:
    """Read what `save_json` wrote."""
    return json.loads((entry / name).read_text(encoding="utf-8"))


def save_array(entry: Path, name: str, array: np.ndarray) -> None:
    """Write an array as a .npy file into the folder of an entry. (`numpy.save` given a path hides why a write failed.)"""
    data = io.BytesIO()
    np.save(data, array, allow_pickle=False)
    (entry / name).write_bytes(data.getbuffer())


def trim(limit_gb: float) -> None:
    """Remove the least recently used entries until the cache is within the limit. The log stays."""
    entries = []
    for path in root().glob("*/??/*"):
        size = sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        entries.append((path.stat().st_mtime, size, path))
    excess = sum(size for _, size, _ in entries) - limit_gb * 1e9
    for _, size, path in sorted(entries):
        if excess <= 0:
            return
        shutil.rmtree(path, ignore_errors=True)
        excess -= size
