"""A content-addressed cache of items, so that a stage computes only what changed.

An entry is a folder `${DVC_ROOT:-.}/.cache/<stage>/<2 digits>/<key>/`. Its key is a hash of the item's bytes, the parameters
that affect it, the model, and the version of the step. The version is an integer that is raised by hand: a hash of the source
code would train again after every changed comment.

Deleting `.cache` costs only time. DVC sets DVC_ROOT to the main checkout even in its temporary copies, so experiments share the cache.
"""

import functools
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from voz.pipeline import cache_folders, files, parallel

LOG = "log"
A = TypeVar("A")
V = TypeVar("V")


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
        self.folder = cache_folders.root() / stage
        self._salt = json.dumps([stage, version, params, model], sort_keys=True)

    def key(self, *made_of: str) -> Key:
        """The key of an item, given the hashes and ids of everything that it is made of."""
        return Key(hashlib.sha256(json.dumps([self._salt, *made_of]).encode()).hexdigest()[:32], made_of)

    def path(self, key: Key) -> Path:
        """Where the entry is or would be."""
        return self.folder / key.name[:2] / key.name

    def get(self, key: Key) -> Path | None:
        """The entry's folder, marked as used just now (see `cache_folders.trim`); None if there is no complete entry."""
        path = self.path(key)
        if not path.is_dir():
            return None
        if not cache_folders.is_complete(path):
            shutil.rmtree(path, ignore_errors=True)
            return None
        os.utime(path)
        return path

    @contextmanager
    def put(self, key: Key) -> Iterator[Path]:
        """Yield an empty temporary folder to fill; it becomes the entry when the block ends without an exception."""
        path = self.path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        cache_folders.remove_abandoned(path.parent)
        with files.named_in_errors(path), cache_folders.temporary_folder(path.parent) as temporary:
            yield temporary
            label = json.dumps({"made_of": key.made_of, "bytes": cache_folders.sizes(temporary)})
            (temporary / cache_folders.LABEL).write_text(label, encoding="utf-8")
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


def _fill(cache: Cache, work: Callable[[A, Path], None], missing: tuple[Key, A]) -> "Uncached[Any] | None":
    """Compute one item into its entry. Returns the exception with its value if the item is not to be cached."""
    key, item = missing
    try:
        with cache.put(key) as folder:
            work(item, folder)
    except Uncached as uncached:
        return uncached
    return None


def log(stage: str, **values: Any) -> None:
    """Append values that depend on the run (counts, seconds, device) to `.cache/log/<stage>.jsonl`; outputs must not hold them."""
    path = cache_folders.root() / LOG / f"{stage}.jsonl"
    line = json.dumps({"at": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **values}, sort_keys=True) + "\n"
    with suppress(OSError):  # full or read-only: the results matter, and writing those says so
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            file.write(line)


def read_log(stage: str) -> list[dict[str, Any]]:
    """All lines of a stage's log, oldest first; empty if there is none."""
    path = cache_folders.root() / LOG / f"{stage}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
