"""Remove a voice note, and everything that came of it, from this machine and from the DVC remotes.

    python -m tools.forgetting.forget NOTE... [--weights]        (`make forget NOTE=…`, with WEIGHTS=1 the trained voice too)
    python -m tools.forgetting.forget --all                      (`make forget ALL=1`: all notes, consent, words, voice)

NOTE is the note's id, a clip's id, the file's name in the notes folder, or its original name in notes.csv. Lists what it
would remove and what it cannot, asks, removes: from the notes folder and all outputs of the pipeline, the scratch
(.cache), DVC's cache and every configured remote. Run it again if it was interrupted.
"""

import argparse
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from tools.forgetting import traces
from voz.data import notes, origins
from voz.pipeline import cache, command, files, ledger, params
from voz.pipeline.command import UserError
from voz.pipeline.files import write_text

ID = re.compile(r"([0-9a-f]{12})(-\d{7,8}-\d{7,8})?\Z")
SHOWN = 40  # lines of files before "and so many more"


@dataclass
class Plan:
    """What is to go, by place, and what cannot."""

    workspace: traces.Found = field(default_factory=traces.Found)
    scratch: set[Path] = field(default_factory=set)
    stores: dict[str, set[Path]] = field(default_factory=dict)  # by "DVC cache", "remote NAME"
    far: dict[str, list[str]] = field(default_factory=dict)  # object names, by remote that is no folder here
    cannot: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        here = self.workspace.files or self.workspace.tables or self.scratch
        return bool(here or any(self.stores.values()) or any(self.far.values()))


def find_notes(wanted: list[str], folder: Path, convert_ledger: Path) -> traces.Trail:
    """The ids and file names of the notes meant, and of every other file with the same bytes or the same sound.

    Raises:
        UserError: a name that is nobody's. (An id may be of a note that is no longer in the folder.)
    """
    note_ids = {each.name: files.hash_file(each.path)[:12] for each in notes.find(folder) if not each.problem} if folder.is_dir() else {}
    table = origins.read(folder)
    ids: set[str] = set()
    for name in wanted:
        match = ID.match(name)
        found = {match[1]} if match else {origin.id for origin in table if name == origin.original_name}
        found |= {note_id for file, note_id in note_ids.items() if name in (file, (folder / file).as_posix())}
        if not found:
            raise UserError(f"{name}: no note in {folder} has this id, file name or original name", f"look into {folder / origins.NAME}")
        ids |= found
    sounds = {origin.sha256 for origin in table if origin.id in ids} - {""}
    ids |= {origin.id for origin in table if origin.sha256 in sounds}
    for row in ledger.read(convert_ledger) if convert_ledger.is_file() else []:
        if row.reason == "duplicate" and row.name in note_ids:
            same = {note_ids[row.name], *re.findall(r"\(([0-9a-f]{12})\)", row.detail)}
            ids |= same if same & ids else set()
    return traces.Trail(ids, {name for name, note_id in note_ids.items() if note_id in ids})


def tracked(repo: Repo) -> tuple[list[Path], set[Path]]:
    """(outputs of the stages that DVC caches, what `dvc add` added), relative to the working directory."""
    here = Path.cwd().resolve()
    outs = [out for out in repo.index.outs if out.use_cache and Path(out.fs_path).is_relative_to(here)]
    added = {Path(out.fs_path).relative_to(here) for out in outs if out.stage.is_data_source}
    return sorted(Path(out.fs_path).relative_to(here) for out in outs if not out.stage.is_data_source), added


def plan(repo: Repo, trail: traces.Trail, args: argparse.Namespace, values: dict[str, Any]) -> Plan:
    """Search every place."""
    derived, added = tracked(repo)
    if args.all:
        trail.ids |= {each for folder in _folders(repo) for each in traces.ids_in_store(folder)}
    mine = [Path(values["notes"]), Path(values["corrections"])]
    roots = [path for path in [*mine, *derived, cache.root() / cache.LOG, Path(repo.dvc_dir) / "tmp" / "exps"] if path.exists()]
    found = Plan(workspace=traces.in_workspace(roots, trail))
    if args.all:
        found.workspace.files |= {path for root in [*mine, *derived] for path in [root, *root.rglob("*")] if path.is_file()}
        found.workspace.tables = {path: text for path, text in found.workspace.tables.items() if path not in found.workspace.files}
    elif args.weights:
        found.workspace.files |= {path for path in args.voice.rglob("*") if path.is_file()}
    protected = {md5 for path in added - set(mine) for md5 in md5s_of(repo, path)}
    if args.all or args.weights:
        theirs = derived if args.all else [args.voice]
        trail.md5s |= {md5 for path in [*theirs, *(mine if args.all else [])] for md5 in md5s_of(repo, path)} - protected
        trail.trained = True
    _search_stores(repo, trail, protected, found)
    root = cache.root()
    found.scratch = {path for path in root.glob("*") if path.is_dir()} if args.all else traces.in_scratch(root, trail)
    found.cannot += _beyond(repo, trail, [*mine, *derived], args)
    return found


def md5s_of(repo: Repo, path: Path) -> set[str]:
    """MD5s of a tracked output and of all files in it, as far as the cache knows them."""
    found: set[str] = set()
    for out in repo.index.outs:
        if Path(out.fs_path) == path.resolve() and out.hash_info:
            found.add(out.hash_info.value)
            tree = out.get_obj() if out.hash_info.isdir else None
            found |= {each.value for _, _, each in tree} if tree is not None else set()
    return found


def _folders(repo: Repo) -> list[Path]:
    """The cache, and those remotes that are folders on this machine."""
    remotes = [repo.config["remote"][name]["url"] for name in sorted(repo.config["remote"])]
    return [Path(repo.cache.local.path), *(Path(url, "files", "md5") for url in remotes if Path(url).is_dir())]


def _search_stores(repo: Repo, trail: traces.Trail, protected: set[str], found: Plan) -> None:
    """Search the cache, then each remote: all of it where it is a folder on this machine, else the objects known by then."""
    cache = Path(repo.cache.local.path)
    found.stores["DVC cache"] = traces.in_store(cache, trail, protected=protected)
    for name in sorted(repo.config["remote"]):
        try:
            odb = repo.cloud.get_remote_odb(name)
            if odb.fs.protocol == "local":
                found.stores[f"remote {name}"] = traces.in_store(Path(odb.path), trail, protected=protected)
                continue
            known = trail.md5s | {path.parent.name + path.name for objects in found.stores.values() for path in objects}
            found.far[name] = [oid for oid in sorted(known) if odb.exists(oid)]
            found.cannot.append(
                f"remote {name}: older versions there that this machine never had (`dvc gc --cloud` removes what no commit needs)"
            )
        except (DvcException, OSError) as error:
            found.cannot.append(f"remote {name}: not reachable ({error}); run this again when it is")


def _beyond(repo: Repo, trail: traces.Trail, paths: list[Path], args: argparse.Namespace) -> list[str]:
    """What no command on this machine can reach."""
    git = ["git", "log", "--all", "--oneline", "--", *map(str, paths)]
    commits = subprocess.run(git, capture_output=True, text=True, check=False, cwd=repo.root_dir).stdout.splitlines()
    kept = (
        f"{len(commits)} commits hold files of these folders: `git filter-repo` rewrites them"
        if commits
        else "names, hashes and aggregate numbers only"
    )
    lines = [f"git history: {kept}", "other people's copies: clones that pulled, backups, the phone, the chat itself"]
    if trail.trained:
        stay = (
            ""
            if args.all or args.weights
            else f"; {args.voice} keeps them until `dvc repro`, DVC's cache longer: --weights (WEIGHTS=1) removes them"
        )
        lines.append(f"trained weights: a voice that was trained with the note has learnt from it, wherever it was copied{stay}")
    return lines


def show(found: Plan) -> None:
    """Print what would go and what cannot."""
    lines = [f"  remove   {path}" for path in sorted(found.workspace.files)] + [
        f"  rewrite  {path}" for path in sorted(found.workspace.tables)
    ]
    print("\n".join(lines[:SHOWN]))
    if len(lines) > SHOWN:
        print(f"  and {len(lines) - SHOWN} files more")
    print(f"  remove   {len(found.scratch)} entries of the scratch")
    for name, objects in found.stores.items():
        print(f"  remove   {len(objects)} objects of {name} ({sum(path.stat().st_size for path in objects) / 1e6:.1f} MB)")
    for name, oids in found.far.items():
        print(f"  remove   {len(oids)} objects of remote {name}")
    for line in found.cannot:
        print(f"  cannot   {line}")


def remove(repo: Repo, found: Plan) -> None:
    """Remove it: far places first, so that an interrupted run still finds here what it has to look for there."""
    for name, oids in found.far.items():
        odb = repo.cloud.get_remote_odb(name)
        for oid in oids:
            odb.delete(oid)
    for objects in reversed(found.stores.values()):
        for path in objects:
            path.unlink(missing_ok=True)
    for path in found.scratch:
        shutil.rmtree(path, ignore_errors=True)
    for path, text in found.workspace.tables.items():
        write_text(path, text)
    for path in found.workspace.files:
        path.unlink(missing_ok=True)


def settle(values: dict[str, Any], *, everything: bool) -> None:
    """Tell DVC of the new notes and corrections; with everything gone, take away its pointers to them."""
    for path in (Path(values["notes"]), Path(values["corrections"])):
        pointer = Path(f"{path}.dvc")
        if pointer.is_file() and (everything or not path.exists()):
            pointer.unlink()
            shutil.rmtree(path, ignore_errors=True)
        elif pointer.is_file():
            subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "--", str(path)], check=True)


def main() -> None:
    args = parse_args()
    values = params.read(args.params)
    folder = Path(values["notes"])
    if subprocess.run(["git", "ls-files", "--error-unmatch", "--", str(folder)], capture_output=True, check=False).returncode == 0:
        raise UserError(
            f"{folder}: in git, where nothing can be forgotten", "`git rm` it; `make notes` keeps notes out of git from the start"
        )
    if args.all == bool(args.note):
        raise UserError("which note?", "NOTE=<id or file name>, or ALL=1")
    wanted = [each.name for each in notes.find(folder) if not each.problem] if args.all and folder.is_dir() else args.note
    trail = find_notes(wanted, folder, args.ledger)
    try:
        with Repo() as repo:
            found = plan(repo, trail, args, values)
            if not found:
                raise UserError(f"{', '.join(args.note) or folder}: no trace of it anywhere", f"look into {folder / origins.NAME}")
            show(found)
            if not args.yes and not _agreed():
                raise UserError("nothing was removed", "answer yes, or --yes in a script")
            remove(repo, found)
            notebook = repo.site_cache_dir
        shutil.rmtree(notebook, ignore_errors=True)  # names and hashes of every file that DVC saw here; it makes it anew
    except DvcException as error:
        raise UserError(f"DVC: {error}", "mend that and run this again") from error
    settle(values, everything=args.all)
    print(f"forgotten: {'all notes' if args.all else ', '.join(sorted(trail.ids))}")
    print("next: `make notes` or `make profile NAME=pocket`" if args.all else "next: dvc repro && dvc push && git commit -a")


def _agreed() -> bool:
    return sys.stdin.isatty() and input("Remove all this? It cannot be undone. [yes/no] ").strip().lower() in ("yes", "si", "sí")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("note", nargs="*", help="id, file name or original name")
    parser.add_argument("--all", action="store_true", help="every note, and all that was made of them")
    parser.add_argument("--weights", action="store_true", help="also the trained voice and its checkpoints")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--params", type=Path, default=params.PATH)
    parser.add_argument("--ledger", type=Path, default=Path("reports/ledger/convert.csv"), help="convert's, which knows of duplicates")
    parser.add_argument("--voice", type=Path, default=Path("models/voice"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
