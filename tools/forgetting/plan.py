"""Search every place for traces of notes, and put together what will be removed and what no command here can remove."""

import argparse
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc_data.hashfile.db import HashFileDB

from tools.forgetting import preconditions, traces
from tools.forgetting.traces import Removal
from tools.forgetting.trail import Trail
from tools.remotes import stored
from voz.pipeline import cache, cache_folders
from voz.pipeline.language import later, tr

DVC_CACHE = later("DVC cache")


@dataclass
class Plan:
    """What will be removed, by place, and what cannot be."""

    workspace: Removal = field(default_factory=Removal)
    cache_entries: set[Path] = field(default_factory=set)
    stores: dict[str, set[Path]] = field(default_factory=dict)  # objects by store: "DVC cache", and remotes in a folder of this machine
    remote_objects: dict[str, list[str]] = field(default_factory=dict)  # names of objects, by remote on another machine
    out_of_reach: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        here = self.workspace.files or self.workspace.tables or self.cache_entries
        return bool(here or any(self.stores.values()) or any(self.remote_objects.values()))


def make_plan(repo: Repo, trail: Trail, args: argparse.Namespace, values: dict[str, Any]) -> Plan:
    """Search every place.

    Args:
        values: the content of params.yaml.
    """
    outputs, added = tracked(repo)
    personal = [Path(values["notes"]), Path(values["corrections"])]  # the inputs that hold the speaker's data, unlike the base models
    if args.all:
        trail.ids |= {note_id for folder in _local_stores(repo) for note_id in traces.ids_in_store(folder)}
    plan = Plan(workspace=_search_workspace(repo, trail, args, [*personal, *outputs], bases=added - set(personal)))
    protected = {md5 for path in added - set(personal) for md5 in md5s_of(repo, path)}
    if args.all or args.weights:
        whole = [*outputs, *personal] if args.all else [args.voice]
        trail.md5s |= {md5 for path in whole for md5 in md5s_of(repo, path)} - protected
        trail.trained = True
    _search_stores(repo, trail, protected, plan, weights=args.all or args.weights)
    root = cache_folders.root()
    plan.cache_entries = (
        {path for path in root.glob("*") if path.is_dir()} if args.all else traces.in_cache(root, trail, weights=args.weights)
    )
    plan.out_of_reach += _later(personal, set() if args.all else _temporary_folders(root) - plan.cache_entries)
    plan.out_of_reach += _out_of_reach(repo, trail, [*personal, *outputs], args)
    return plan


def _temporary_folders(root: Path) -> set[Path]:
    """Those in the cache, of commands that run and of killed ones."""
    return {path for parents in ("", "*/??/") for path in root.glob(f"{parents}{cache_folders.TEMPORARY}*")}


def _later(personal: list[Path], in_use: set[Path]) -> list[str]:
    """What stays only for now, and why."""
    lines = [
        tr("{path}: not checked out here, so a remote in a cloud may keep some of it: `dvc pull {path}.dvc` first", path=path)
        for path in preconditions.not_checked_out(personal)
    ]
    if in_use:
        lines.append(tr("temporary folders of commands that run now ({count}): each removes its own at its end", count=len(in_use)))
    return lines


def tracked(repo: Repo) -> tuple[list[Path], set[Path]]:
    """(outputs of the stages that DVC caches, what `dvc add` put under DVC), relative to the working directory."""
    here = Path.cwd().resolve()
    outs = [out for out in repo.index.outs if out.use_cache and Path(out.fs_path).is_relative_to(here)]
    added = {Path(out.fs_path).relative_to(here) for out in outs if out.stage.is_data_source}
    return sorted(Path(out.fs_path).relative_to(here) for out in outs if not out.stage.is_data_source), added


def md5s_of(repo: Repo, path: Path) -> set[str]:
    """MD5s of a tracked output and of all files in it, as far as DVC's cache knows them."""
    found: set[str] = set()
    for out in repo.index.outs:
        if Path(out.fs_path) == path.resolve() and out.hash_info:
            found.add(out.hash_info.value)
            tree = out.get_obj() if out.hash_info.isdir else None
            found |= {each.value for _, _, each in tree} if tree is not None else set()
    return found


def _search_workspace(repo: Repo, trail: Trail, args: argparse.Namespace, paths: list[Path], *, bases: set[Path]) -> Removal:
    """Search inputs and outputs, the log of the cache, copies that killed commands left, and all other files that git does not hold."""
    left = Path(repo.dvc_dir) / "tmp" / "exps"
    roots = [path for path in [*paths, cache_folders.root() / cache.LOG, left] if path.exists()]
    loose = _outside_git(repo, bases)
    removal = traces.in_workspace(roots, trail, loose=loose)
    if args.all or args.weights:
        own = paths[0]  # the notes: somebody may record at the rate at which the voice speaks
        removal.files |= traces.spoken(path for path in loose if own not in path.parents)
    if args.all:
        removal.files |= {path for root in paths for path in [root, *root.rglob("*")] if path.is_file()}
        removal.tables = {path: text for path, text in removal.tables.items() if path not in removal.files}
    elif args.weights:
        removal.files |= {path for path in args.voice.rglob("*") if path.is_file()}
    return removal


def _outside_git(repo: Repo, bases: set[Path]) -> list[Path]:
    """The files of the checkout that git does not hold, without the environment, the caches and the base models."""
    not_ours = [".venv", ".cache", ".dvc", *sorted(map(str, bases))]
    command = ["git", "ls-files", "--others", "-z", "--", ".", *(f":(exclude,literal){path}" for path in not_ours)]
    listed = subprocess.run(command, capture_output=True, check=True).stdout.split(b"\0")
    return sorted(Path(os.fsdecode(name)) for name in listed if name)


def _local_stores(repo: Repo) -> list[Path]:
    """The folders of objects on this machine: DVC's cache, and those remotes that are folders."""
    remotes = [_folder_of(repo, name) for name in sorted(repo.config["remote"])]
    stores = [Path(repo.cache.local.path), *(Path(folder, "files", "md5") for folder in remotes if folder.is_dir())]
    return [*stores, *map(_legacy, stores)]


def _folder_of(repo: Repo, remote: str) -> Path:
    """The address of a remote, as a folder of this machine."""
    return Path(repo.config["remote"][remote]["url"])


def _legacy(store: Path) -> Path:
    """Where DVC 2 stored its objects: above `files/md5`."""
    return store.parents[1]


def _search_stores(repo: Repo, trail: Trail, protected: set[str], plan: Plan, *, weights: bool) -> None:
    """Search DVC's cache and the remotes in folders of this machine, then look up on all other remotes what is known by then.

    Those can only be asked for objects by name.
    """
    folders = {DVC_CACHE: Path(repo.cache.local.path)}
    elsewhere: dict[str, HashFileDB] = {}
    for name in sorted(repo.config["remote"]):
        with _said_if_unreachable(name, plan):
            odb = repo.cloud.get_remote_odb(name)
            if odb.fs.protocol != "local":
                elsewhere[name] = odb
                continue
            os.stat(_folder_of(repo, name))  # a disk that is not mounted holds what this cannot see
            folders[tr("remote {name}", name=name)] = Path(odb.path)
    _search_folders(folders, trail, protected, plan, weights=weights)
    known = trail.md5s | {path.parent.name + path.name for objects in plan.stores.values() for path in objects}
    for name, odb in elsewhere.items():
        with _said_if_unreachable(name, plan):
            plan.remote_objects[name] = stored.present(odb, known)
            plan.out_of_reach.append(
                tr(
                    "remote {name}: older versions that were never on this machine (`dvc gc --cloud` removes what no commit needs)",
                    name=name,
                )
            )


def _search_folders(folders: dict[str, Path], trail: Trail, protected: set[str], plan: Plan, *, weights: bool) -> None:
    """Search stores on this machine, each again if another one made the trail grow after it was searched."""
    stores = dict(folders)
    for name, store in folders.items():
        stores[tr("{name}, as DVC 2 stored", name=tr(name))] = _legacy(store)
    searched: dict[str, tuple[int, int]] = {}
    while pending := [name for name in stores if searched.get(name) != trail.size]:
        for name in pending:
            plan.stores[name] = traces.in_store(stores[name], trail, protected=protected, weights=weights)
            searched[name] = trail.size
    plan.stores = {name: found for name, found in plan.stores.items() if found or name in folders}


@contextmanager
def _said_if_unreachable(name: str, plan: Plan) -> Iterator[None]:
    """Within the block, a remote that does not answer becomes a line of what is out of reach."""
    try:
        yield
    except (DvcException, *stored.faults_of_remotes()) as error:
        plan.out_of_reach.append(
            tr("remote {name}: not reachable ({error}); run this again when it is", name=name, error=stored.one_line(error))
        )


def _out_of_reach(repo: Repo, trail: Trail, paths: list[Path], args: argparse.Namespace) -> list[str]:
    """What no command on this machine can remove."""
    git = ["git", "log", "--all", "--oneline", "--", *map(str, paths)]
    commits = subprocess.run(git, capture_output=True, text=True, check=False, cwd=repo.root_dir).stdout.splitlines()
    history = tr("names, hashes and aggregate numbers only")
    if commits:
        history = tr("{count} commits hold files of these folders: `git filter-repo` rewrites them", count=len(commits))
    copies = tr("other people's copies: clones that pulled, backups, the phone, the chat itself")
    lines = [tr("git history: {history}", history=history), copies]
    if trail.trained:
        weights = tr("trained weights: every copy of a voice that was trained with the note has learnt from it")
        if not (args.all or args.weights):
            weights += tr(
                "; {voice} stays until `dvc repro`, DVC's cache keeps it longer: --weights (WEIGHTS=1) removes both", voice=args.voice
            )
        lines.append(weights)
    return lines
