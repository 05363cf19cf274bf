"""A content-addressed cache of items, so that a stage computes only what changed.

An entry is a folder `${DVC_ROOT:-.}/.cache/<stage>/<2 digits>/<key>/`. Its key is a hash of the item's bytes, the parameters
that affect it, the model, and the version of the step. The version is an integer that is raised by hand: a hash of the source
code would train again after every changed comment.

An entry is filled under a temporary name and then renamed, so a killed stage leaves no partial entry and two processes may write
the same one. What a killed process left is removed when the next one writes beside it: a run computes the same item again. Entries
are not flushed to the disk, which would take longer than the work itself. Instead each stores the sizes of its files, and an entry
that a power cut shortened is computed again.

Deleting `.cache` costs only time. DVC sets DVC_ROOT to the main checkout even in its temporary copies, so experiments share the cache.
"""

import functools
import hashlib
import io
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np

from voz.pipeline import files, parallel

LOG = "log"
TEMPORARY = ".tmp-"  # the start of the name of a folder that is to become an entry, or to vanish (`scratch`)
LABEL = ".label.json"  # in each entry: what its key was made of (`make forget` searches it), and the sizes of its files

A = TypeVar("A")
V = TypeVar("V")


def root() -> Path:
    """The folder of the cache that this checkout uses."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve() / ".cache"


@dataclass(frozen=True)
class Key:
    """The name of an entry, and the hashes and ids that it was made of."""

    name: str
    made_of: tuple[str, ...]


class Uncached(Exception, Generic[V]):
    """Raised by the `work` of `Cache.map`: use `value` for the item in this run, and store no entry."""

    def __init__(self, value: V) -> None:
        super().__init__(value)
        self.value = value


class Cache:
    """The entries of one step, under one set of parameters.

    Args:
        stage: name of the folder and of the log.
        version: version of the step's code; raise it when the same input gives another output.
        params: the parameters that affect an item; JSON values.
        model: hash of the model that computes the item; empty if there is none.
    """

    def __init__(self, stage: str, version: int, *, params: dict[str, Any], model: str = "") -> None:
        self.stage = stage
        self.folder = root() / stage
        self._salt = json.dumps([stage, version, params, model], sort_keys=True)

    def key(self, *made_of: str) -> Key:
        """The key of an item, given the hashes and ids of everything that it is made of."""
        return Key(hashlib.sha256(json.dumps([self._salt, *made_of]).encode()).hexdigest()[:32], made_of)

    def path(self, key: Key) -> Path:
        """Where the entry is or would be."""
        return self.folder / key.name[:2] / key.name

    def get(self, key: Key) -> Path | None:
        """The entry's folder, marked as used just now (see `trim`); None if there is no complete entry."""
        path = self.path(key)
        if not path.is_dir():
            return None
        if not _is_complete(path):
            shutil.rmtree(path, ignore_errors=True)
            return None
        os.utime(path)
        return path

    @contextmanager
    def put(self, key: Key) -> Iterator[Path]:
        """Yield an empty temporary folder to fill; it becomes the entry when the block ends without an exception."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        with files.named_in_errors(path), _temporary_folder(path.parent) as temporary:
            yield temporary
            label = json.dumps({"made_of": key.made_of, "bytes": _sizes(temporary)})
            (temporary / LABEL).write_text(label, encoding="utf-8")
            try:
                os.replace(temporary, path)
            except OSError:
                if not path.is_dir():  # else another process was faster, with the same content
                    raise

    def map(
        self,
        items: Sequence[A],
        *,
        key: Callable[[A], Key],
        work: Callable[[A, Path], None],
        load: Callable[[Path], V],
        label: str,
        unit: str = "it",
        engine: parallel.Engine = parallel.HERE,
        died: Callable[[A], V] | None = None,
    ) -> list[V]:
        """The values of the items, in order. Items without an entry are computed first; then every value is read from its entry.

        Args:
            key: gives an item's key. Items with the same key are computed once.
            work: computes an item into an empty folder. See `parallel.map` for what it must be unless `engine` is this process.
            load: reads the value from a filled folder.
            label, unit: text of the progress bar.
            engine: what computes the items.
            died: gives the value, for this run, of an item that ended its process each time. See `parallel.map`.
        """
        keys = [key(item) for item in items]
        missing = self._missing(keys, items)
        fill = functools.partial(_fill, self, work)
        results = parallel.map(
            fill,
            list(missing.items()),
            label=label,
            unit=unit,
            engine=engine,
            died=lambda each: Uncached((died or parallel.refuse)(each[1])),
        )
        uncached = {each: result.value for each, result in zip(missing, results, strict=True) if result is not None}
        self._log(keys, missing)
        return [uncached[each] if each in uncached else load(self.path(each)) for each in keys]

    def map_batches(
        self,
        items: Sequence[A],
        *,
        key: Callable[[A], Key],
        batches: Callable[[list[A]], list[list[A]]],
        work: Callable[[list[A]], Sequence[V]],
        save: Callable[[Path, V], None],
        load: Callable[[Path], V],
        label: str,
        engine: parallel.Engine = parallel.HERE,
    ) -> list[V]:
        """Like `map`, for a model that computes several items at a time.

        Args:
            batches: groups the items that have no entry into batches.
            work: computes the values of one batch, in its order. As for `map`.
            save: writes a value into the empty folder of its entry. It runs in this process.

        Raises:
            UserError: an item ended its process each time, alone in a batch too. All other items have their entries then.
        """
        keys = [key(item) for item in items]
        missing = self._missing(keys, items)

        def compute(grouped: list[list[A]], *, again: bool) -> list[A]:
            """Compute batches and return the items of those that ended their process."""
            results = parallel.map(work, grouped, label=label, unit="batch", engine=engine, died=lambda batch: None, again=again)
            lost: list[A] = []
            for batch, values in zip(grouped, results, strict=True):
                if values is None:
                    lost += batch
                    continue
                for item, value in zip(batch, values, strict=True):
                    with self.put(key(item)) as folder:
                        save(folder, value)
            return lost

        failed = compute(batches([*missing.values()]), again=False)
        for item in compute([[item] for item in failed], again=True):
            parallel.refuse(item)
        self._log(keys, missing)
        return [load(self.path(each)) for each in keys]

    def map_as_done(
        self,
        items: Sequence[A],
        *,
        key: Callable[[A], Key],
        work: Callable[[list[A]], Iterator[tuple[A, V]]],
        save: Callable[[Path, V], None],
        load: Callable[[Path], V],
        label: str,
        unit: str = "it",
    ) -> list[V]:
        """Like `map`, for a model that computes many items at a time and gives each when it is done: it gets its entry then.

        Args:
            work: computes the items that have no entry, in any order. It is not called if there are none.
        """
        keys = [key(item) for item in items]
        missing = self._missing(keys, items)
        results = work([*missing.values()]) if missing else iter(())
        for item, value in parallel.progress(results, total=len(missing), label=label, unit=unit):
            with self.put(key(item)) as folder:
                save(folder, value)
        self._log(keys, missing)
        return [load(self.path(each)) for each in keys]

    def _missing(self, keys: Sequence[Key], items: Sequence[A]) -> dict[Key, A]:
        """The items without an entry, by key; of items with the same key, the first."""
        first: dict[Key, A] = {}
        for key, item in zip(keys, items, strict=True):
            first.setdefault(key, item)
        return {key: item for key, item in first.items() if self.get(key) is None}

    def _log(self, keys: Sequence[Key], missing: dict[Key, Any]) -> None:
        log(self.stage, computed=len(missing), reused=len(set(keys)) - len(missing))


@contextmanager
def scratch() -> Iterator[Path]:
    """Within the block, an empty folder for copies of somebody's sounds. The next one removes what kill -9 left, or `make forget`."""
    root().mkdir(parents=True, exist_ok=True)
    _remove_abandoned(root())
    with _temporary_folder(root()) as temporary:
        yield temporary


def _fill(cache: Cache, work: Callable[[A, Path], None], missing: tuple[Key, A]) -> "Uncached[Any] | None":
    """Compute one item into its entry. Returns the exception with its value if the item is not to be cached."""
    key, item = missing
    try:
        with cache.put(key) as folder:
            work(item, folder)
    except Uncached as uncached:
        return uncached
    return None


@contextmanager
def _temporary_folder(parent: Path) -> Iterator[Path]:
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


def _remove_abandoned(parent: Path) -> None:
    for temporary in abandoned(parent):
        shutil.rmtree(temporary, ignore_errors=True)


def _sizes(entry: Path) -> dict[str, int]:
    """Size in bytes of each file of an entry, except its label; by relative path."""
    found = (path for path in sorted(entry.rglob("*")) if path.is_file() and path.name != LABEL)
    return {path.relative_to(entry).as_posix(): path.stat().st_size for path in found}


def _is_complete(entry: Path) -> bool:
    """True if the entry has a label and the files that it lists have the sizes that it states."""
    try:
        label = json.loads((entry / LABEL).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return False
    sizes = label.get("bytes") if isinstance(label, dict) else None
    return isinstance(sizes, dict) and sizes.items() <= _sizes(entry).items()


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


def log(stage: str, **values: Any) -> None:
    """Append values that depend on the run (counts, seconds, device) to `.cache/log/<stage>.jsonl`; outputs must not hold them."""
    path = root() / LOG / f"{stage}.jsonl"
    line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **values}, sort_keys=True) + "\n"
    with suppress(OSError):  # full or read-only: the results matter, and writing those says so
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)


def read_log(stage: str) -> list[dict[str, Any]]:
    """All lines of a stage's log, oldest first; empty if there is none."""
    path = root() / LOG / f"{stage}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
