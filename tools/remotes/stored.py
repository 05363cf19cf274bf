"""What the lock files need, compared with what a remote has, object by object.

`dvc push` believes that a remote which has a folder's list (`*.dir`) has the folder's files too. A push that was interrupted while
DVC collected can leave the list without the files; every later push then says "Everything is up to date". A file of the remote that
was damaged is never sent again either. So the comparison here asks the remote for every object.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dvc.config import NoRemoteError
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB

from voz.pipeline import parallel
from voz.pipeline.command import DISK_FAULTS, UserError
from voz.pipeline.language import later

CONNECTIONS = 8  # objects that are asked for, or read, at the same time
CHUNK_BYTES = 1 << 20
LIST = ".dir"  # ending of the objects that list a folder's files
MISSING, DAMAGED, CUT_SHORT = later("missing"), later("damaged"), later("cut short")
CLIENTS = {  # what the clients of remotes raise, by module, if a server is not reached, or refuses
    "dvc_objects.fs.errors": ("AuthError", "ConfigError", "RemoteMissingDepsError"),
    "asyncssh": ("Error", "KeyImportError"),  # SSH
    "botocore.exceptions": ("BotoCoreError", "ClientError"),  # S3
    "aiohttp": ("ClientError",),  # S3, HTTP, Google
    "webdav4.client": ("ClientError",),
    "httpx": ("HTTPError",),  # WebDAV
    "azure.core.exceptions": ("AzureError",),
    "google.auth.exceptions": ("GoogleAuthError",),
    "oss2.exceptions": ("OssError",),
}


def changed_sources(repo: Repo) -> list[str]:
    """What `dvc add` tracks and pushes, and a person has changed since: its newest bytes are on this machine alone."""
    outs = [out for stage in repo.index.stages if stage.is_data_source for out in stage.outs]
    return sorted(str(out) for out in outs if out.can_push and out.exists and out.changed_checksum())


@dataclass(frozen=True)
class Fault:
    """An object that the remote lacks, or has with other bytes."""

    oid: str  # DVC's name of the object: the MD5 of its bytes, with `.dir` for a list
    path: str  # in the working tree
    what: str  # MISSING, DAMAGED or CUT_SHORT


@contextmanager
def opened(name: str = "") -> Iterator[tuple[Repo, str, HashFileDB]]:
    """The repository, the name of a remote (the default one, if `name` is empty), and its objects.

    Raises:
        UserError: there is no such remote, its client is not installed, or it fails within the block.
    """
    try:
        with Repo(".") as repo:
            remote = repo.cloud.get_remote(name or None, "push")
            if remote.worktree or remote.fs.version_aware:
                raise UserError("remote {name}: keeps versions in the cloud's own way", "use `dvc push` alone", name=remote.name)
            yield repo, remote.name, remote.odb
    except UserError:
        raise
    except NoRemoteError as error:
        fix = later("`make remote URL=...` adds one, REMOTE=name names one (docs/remotes.md)")
        raise UserError("remote: none is the default", fix) from error
    except DvcException as error:
        raise UserError("remote: {message}", "docs/remotes.md; `make remote URL=...` adds one", message=one_line(error)) from error
    except faults_of_remotes() as error:
        if isinstance(error, OSError) and error.errno in DISK_FAULTS:
            raise
        raise UserError(
            "remote: {message}", "check its address, your network and credentials (docs/remotes.md)", message=one_line(error)
        ) from error


def faults_of_remotes() -> tuple[type[Exception], ...]:
    """OSError, and the exceptions of CLIENTS. Only a client that was imported can raise one."""
    loaded = ((sys.modules[name], names) for name, names in CLIENTS.items() if name in sys.modules)
    return (OSError, *(getattr(module, name) for module, names in loaded for name in names))


def needed(repo: Repo, remote: HashFileDB) -> dict[str, str]:
    """The objects that this checkout's lock files name and that may be pushed: where each belongs in the working tree, by oid.

    The list of a folder is read from this machine's cache, or else from the remote. If neither has it, only the list is in the result.
    """
    found: dict[str, str] = {}
    for out in repo.index.outs:
        if not (out.use_cache and out.can_push and out.hash_info and out.hash_name == "md5") or out.stage.is_repo_import:
            continue
        oid, path = out.hash_info.value, str(out)
        found[oid] = path
        if oid.endswith(LIST):
            for entry in _entries(oid, repo.cache.local, remote):
                found.setdefault(entry["md5"], f"{path}/{entry['relpath']}")
    return found


def faults(remote: HashFileDB, cache: HashFileDB, wanted: dict[str, str], *, hashes: bool) -> list[Fault]:
    """What the remote lacks of `wanted` (see `needed`), sorted by path.

    Args:
        cache: of this machine; where it has an object, the sizes are compared.
        hashes: read every object of the remote, and compare its MD5.
    """
    found = []
    for oid, size in zip(wanted, _each(lambda oid: _size(remote, oid), [*wanted], label="look up"), strict=True):
        own = _size(cache, oid)
        if size is None:
            found.append(Fault(oid, wanted[oid], MISSING))
        elif own is not None and size not in (own, -1):
            found.append(Fault(oid, wanted[oid], CUT_SHORT if size < own else DAMAGED))
    if hashes:
        known = {fault.oid for fault in found}
        there = [oid for oid in wanted if oid not in known]
        sound = _each(lambda oid: is_sound(remote, oid), there, label="read")
        found += [Fault(oid, wanted[oid], DAMAGED) for oid, good in zip(there, sound, strict=True) if not good]
    return sorted(found, key=lambda fault: (fault.path, fault.oid))


def present(store: HashFileDB, oids: Iterable[str]) -> list[str]:
    """Those of the objects that a store has, sorted. (`HashFileDB.exists` takes a server that does not answer for one that lacks them.)

    Raises:
        Exception: one of `faults_of_remotes`.
    """
    asked = sorted(oids)
    sizes = _each(lambda oid: _size(store, oid), asked, label="look up")
    return [oid for oid, size in zip(asked, sizes, strict=True) if size is not None]


def heal(remote: HashFileDB, cache: HashFileDB, broken: Iterable[Fault]) -> None:
    """Send these objects again, except those that this machine does not have, or has damaged.

    Lists go last, so that a list on the remote means that its files are there.
    """
    able = [fault for fault in broken if is_sound(cache, fault.oid)]
    for lists in (False, True):
        batch = [fault for fault in able if fault.oid.endswith(LIST) == lists]
        for fault in batch:
            if fault.what != MISSING:
                remote.delete(fault.oid)  # a damaged object may be write-protected
        if batch:
            oids = [fault.oid for fault in batch]
            remote.add([cache.oid_to_path(oid) for oid in oids], cache.fs, oids, check_exists=False, verify=False)


def is_sound(store: HashFileDB, oid: str) -> bool:
    """True if a store has an object, and its bytes have the MD5 that is its name."""
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with store.fs.open(store.oid_to_path(oid), "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
    except FileNotFoundError:
        return False
    return digest.hexdigest() == oid.removesuffix(LIST)


def _entries(oid: str, *stores: HashFileDB) -> list[dict[str, str]]:
    """The files that a folder's list names, from the first store that has it whole."""
    for store in stores:
        if is_sound(store, oid):
            with store.fs.open(store.oid_to_path(oid), "rb") as file:
                entries: list[dict[str, str]] = json.loads(file.read())
            return entries
    return []


def _size(store: HashFileDB, oid: str) -> int | None:
    """Bytes of an object; None if the store lacks it, -1 if it does not say."""
    try:
        size = store.fs.info(store.oid_to_path(oid)).get("size")
    except FileNotFoundError:
        return None
    return -1 if size is None else int(size)


def _each(function: Callable[[str], Any], oids: list[str], *, label: str) -> list[Any]:
    """`function` of each oid, in order, over several connections."""
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        return list(parallel.progress(pool.map(function, oids), total=len(oids), label=label, unit="file"))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C does not wait for the rest


def one_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
