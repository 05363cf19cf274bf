"""Remove a voice note, and everything that was made from it, from this machine and from the DVC remotes.

    python -m tools.forgetting.forget NOTE... [--weights]        (`make forget NOTE=…`, with WEIGHTS=1 the trained voice too)
    python -m tools.forgetting.forget --all                      (`make forget ALL=1`: all notes, consent, words, voice)

NOTE is the note's id, the id of one of its clips, the file's name in the notes folder, or its original name in notes.csv.
Lists what it would remove and what it cannot remove, asks, and removes it: from the notes folder, all outputs of the
pipeline, the cache (.cache), DVC's cache and every configured remote. If it was interrupted, run it again.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from tools.dvc_add import dvc_add
from tools.forgetting import traces
from tools.forgetting.traces import Removal, Trail
from voz.data import notes, origins
from voz.pipeline import cache, command, files, ledger, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr
from voz.pipeline.records import ID

MAX_LINES = 40  # how many files are listed by name
DVC_CACHE = "DVC cache"


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


def find_notes(wanted: list[str], folder: Path, convert_ledger: Path) -> Trail:
    """The ids and file names of the wanted notes, and of all other files with the same bytes or the same sound.

    Raises:
        UserError: a name fits no note. (An id is accepted even if its note is no longer in the folder.)
    """
    ids_by_name = {each.name: notes.id_of(each.path) for each in notes.find(folder) if not each.problem} if folder.is_dir() else {}
    table = origins.read(folder)
    ids: set[str] = set()
    for name in wanted:
        match = ID.match(name)
        found = {match["note"]} if match else {origin.id for origin in table if name == origin.original_name}
        found |= {note_id for file, note_id in ids_by_name.items() if name in (file, (folder / file).as_posix())}
        if not found:
            raise UserError(
                "{name}: no note in {folder} has this id, file name or original name",
                "look into {file}",
                name=name,
                folder=folder,
                file=folder / origins.NAME,
            )
        ids |= found
    sounds = {origin.sha256 for origin in table if origin.id in ids} - {""}
    ids |= {origin.id for origin in table if origin.sha256 in sounds}
    for row in ledger.read(convert_ledger) if convert_ledger.is_file() else []:
        if row.reason == "duplicate" and row.name in ids_by_name:
            duplicates = {ids_by_name[row.name], *re.findall(r"\(([0-9a-f]{12})\)", row.detail)}
            ids |= duplicates if duplicates & ids else set()
    return Trail(ids, {name for name, note_id in ids_by_name.items() if note_id in ids})


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
    root = cache.root()
    plan.cache_entries = (
        {path for path in root.glob("*") if path.is_dir()} if args.all else traces.in_cache(root, trail, weights=args.weights)
    )
    plan.out_of_reach += _out_of_reach(repo, trail, [*personal, *outputs], args)
    return plan


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
    left = [Path(repo.dvc_dir) / "tmp" / "exps", *sorted(Path(tempfile.gettempdir()).glob("review-*"))]
    roots = [path for path in [*paths, cache.root() / cache.LOG, *left] if path.exists()]
    loose = _outside_git(repo, bases)
    removal = traces.in_workspace(roots, trail, loose=loose)
    if args.all or args.weights:
        removal.files |= traces.spoken(loose)
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
    remotes = [repo.config["remote"][name]["url"] for name in sorted(repo.config["remote"])]
    stores = [Path(repo.cache.local.path), *(Path(url, "files", "md5") for url in remotes if Path(url).is_dir())]
    return [*stores, *map(_legacy, stores)]


def _legacy(store: Path) -> Path:
    """Where DVC 2 stored its objects: above `files/md5`."""
    return store.parents[1]


def _search_stores(repo: Repo, trail: Trail, protected: set[str], plan: Plan, *, weights: bool) -> None:
    """Search DVC's cache, then each remote.

    A remote in a folder of this machine is searched completely. On any other remote, only the objects that are known by
    then can be looked up by name.
    """

    def search(name: str, store: Path) -> None:
        for label, folder in ((name, store), (f"{name}, as DVC 2 stored", _legacy(store))):
            found = traces.in_store(folder, trail, protected=protected, weights=weights)
            if found or folder == store:
                plan.stores[label] = found

    search(DVC_CACHE, Path(repo.cache.local.path))
    for name in sorted(repo.config["remote"]):
        try:
            odb = repo.cloud.get_remote_odb(name)
            if odb.fs.protocol == "local":
                search(f"remote {name}", Path(odb.path))
                continue
            known = trail.md5s | {path.parent.name + path.name for objects in plan.stores.values() for path in objects}
            plan.remote_objects[name] = [oid for oid in sorted(known) if odb.exists(oid)]
            plan.out_of_reach.append(
                f"remote {name}: older versions that were never on this machine (`dvc gc --cloud` removes what no commit needs)"
            )
        except (DvcException, OSError) as error:
            plan.out_of_reach.append(f"remote {name}: not reachable ({error}); run this again when it is")


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


def show(plan: Plan) -> None:
    """Print what would be removed and what cannot be."""
    lines = [tr("  remove   {path}", path=path) for path in sorted(plan.workspace.files)]
    lines += [tr("  rewrite  {path}", path=path) for path in sorted(plan.workspace.tables)]
    print("\n".join(lines[:MAX_LINES]))
    if len(lines) > MAX_LINES:
        print(tr("  and {count} more files", count=len(lines) - MAX_LINES))
    print(tr("  remove   {count} entries of the cache", count=len(plan.cache_entries)))
    for name, objects in plan.stores.items():
        print(
            tr(
                "  remove   {count} objects of {name} ({size_mb:.1f} MB)",
                count=len(objects),
                name=name,
                size_mb=sum(path.stat().st_size for path in objects) / 1e6,
            )
        )
    for name, oids in plan.remote_objects.items():
        print(tr("  remove   {count} objects of remote {name}", count=len(oids), name=name))
    for line in plan.out_of_reach:
        print(tr("  cannot   {line}", line=line))


def remove(repo: Repo, plan: Plan) -> None:
    """Carry out the plan. Remotes first: if the run is interrupted, what is still here tells the next one what to look for there."""
    for name, oids in plan.remote_objects.items():
        odb = repo.cloud.get_remote_odb(name)
        for oid in oids:
            odb.delete(oid)
    for objects in reversed(plan.stores.values()):
        for path in objects:
            path.unlink(missing_ok=True)
    for path in plan.cache_entries:
        shutil.rmtree(path, ignore_errors=True)
    for path, text in plan.workspace.tables.items():
        files.write_text(path, text)
    for path in plan.workspace.files:
        path.unlink(missing_ok=True)


def update_dvc_pointers(values: dict[str, Any], *, everything: bool) -> None:
    """Put the changed notes and corrections under DVC again; if everything was removed, remove their .dvc files instead."""
    for path in (Path(values["notes"]), Path(values["corrections"])):
        pointer = Path(f"{path}.dvc")
        if pointer.is_file() and (everything or not path.exists()):
            pointer.unlink()
            shutil.rmtree(path, ignore_errors=True)
        elif pointer.is_file():
            dvc_add(path, fix=tr("fix that, then `dvc add {path}`", path=path))


def main() -> None:
    args = parse_args()
    values = params.read(args.params)
    folder = Path(values["notes"])
    if subprocess.run(["git", "ls-files", "--error-unmatch", "--", str(folder)], capture_output=True, check=False).returncode == 0:
        raise UserError(
            "{folder}: in git, whose history this cannot change",
            "`git rm` it; `make notes` keeps notes out of git from the start",
            folder=folder,
        )
    if args.all == bool(args.note):
        raise UserError("which note?", "NOTE=<id or file name>, or ALL=1")
    wanted = [each.name for each in notes.find(folder) if not each.problem] if args.all and folder.is_dir() else args.note
    trail = find_notes(wanted, folder, args.ledger)
    try:
        search_and_remove(trail, args, values)
    except DvcException as error:
        raise UserError("DVC: {error}", "fix that and run this again", error=error) from error
    update_dvc_pointers(values, everything=args.all)
    print(tr("forgotten: {notes}", notes=tr("all notes") if args.all else ", ".join(sorted(trail.ids))))
    print(tr("next: `make notes` or `make profile NAME=pocket`") if args.all else tr("next: dvc repro && dvc push && git commit -a"))


def search_and_remove(trail: Trail, args: argparse.Namespace, values: dict[str, Any]) -> None:
    """Make the plan, show it, ask, and carry it out.

    Raises:
        UserError: there is nothing to remove, or the user does not agree.
        DvcException: DVC fails.
    """
    with Repo() as repo:
        plan = make_plan(repo, trail, args, values)
        if not plan:
            where = ", ".join(args.note) or values["notes"]
            raise UserError("{where}: no trace of it anywhere", "look into {file}", where=where, file=Path(values["notes"], origins.NAME))
        show(plan)
        if not args.yes and not _agreed():
            raise UserError("nothing was removed", "answer yes, or --yes in a script")
        remove(repo, plan)
        site_cache = repo.site_cache_dir
    shutil.rmtree(site_cache, ignore_errors=True)  # DVC's index: names and hashes of every file it saw here; DVC rebuilds it


def _agreed() -> bool:
    return sys.stdin.isatty() and input(tr("Remove all this? It cannot be undone. [yes/no] ")).strip().lower() in ("yes", "si", "sí")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("note", nargs="*", help="id, file name or original name")
    parser.add_argument("--all", action="store_true", help="every note, and everything that was made from them")
    parser.add_argument("--weights", action="store_true", help="also the trained voice and its checkpoints")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--params", type=Path, default=params.PATH)
    parser.add_argument(
        "--ledger", type=Path, default=Path("reports/ledger/convert.csv"), help="convert's ledger, which lists notes with the same sound"
    )
    parser.add_argument("--voice", type=Path, default=Path("models/voice"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
