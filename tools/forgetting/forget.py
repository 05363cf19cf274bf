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
from pathlib import Path
from typing import Any

from dvc.exceptions import DvcException
from dvc.repo import Repo

from tools.dvc_command import dvc_add
from tools.forgetting import preconditions, traces
from tools.forgetting.plan import Plan, make_plan
from tools.forgetting.trail import Trail
from tools.remotes import stored
from voz.data import forgotten, notes, origins
from voz.pipeline import command, files, ledger, params
from voz.pipeline.command import UserError
from voz.pipeline.language import tr
from voz.pipeline.records import ID

MAX_LINES = 40  # how many files are listed by name


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
    return Trail(ids, {name for name, note_id in ids_by_name.items() if note_id in ids}, sounds=sounds)


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
                name=tr(name),
                size_mb=sum(path.stat().st_size for path in objects) / 1e6,
            )
        )
    for name, oids in plan.remote_objects.items():
        print(tr("  remove   {count} objects of remote {name}", count=len(oids), name=name))
    for line in plan.out_of_reach:
        print(tr("  cannot   {line}", line=line))


def remove_from_servers(repo: Repo, plan: Plan) -> None:
    """Remove objects from remotes on other machines. This comes first: if the run is interrupted, what is still here tells the next
    one what to look for there.

    Raises:
        UserError: a remote does not remove an object.
    """
    for name, oids in plan.remote_objects.items():
        odb = repo.cloud.get_remote_odb(name)
        try:
            for oid in oids:
                odb.delete(oid)
        except stored.faults_of_remotes() as error:
            raise UserError(
                "remote {name}: {message}",
                "nothing was removed here; run this again when it answers",
                name=name,
                message=stored.one_line(error),
            ) from error


def remove_here(plan: Plan, folder: Path) -> None:
    """Carry out the plan on this machine. Stores first, for the same reason.

    Args:
        folder: the notes.
    """
    _replace_links(plan, folder)
    for objects in reversed(plan.stores.values()):
        for path in objects:
            path.unlink(missing_ok=True)
    for path in plan.cache_entries:
        shutil.rmtree(path, ignore_errors=True)
    for path, text in plan.workspace.tables.items():
        files.write_text(path, text)
    for path in plan.workspace.files:
        path.unlink(missing_ok=True)


def _replace_links(plan: Plan, folder: Path) -> None:
    """Give each file that stays or is rewritten its own bytes if it is a link to an object that goes.

    The notes to be removed, too: without their bytes, an interrupted run could not be run again.
    """
    going = {os.path.realpath(path) for objects in plan.stores.values() for path in objects}
    for path in sorted(plan.workspace.links):
        if (path not in plan.workspace.files or folder in path.parents) and os.path.realpath(path) in going:
            files.copy(path, path)


def update_dvc_pointers(paths: list[Path], *, everything: bool) -> None:
    """Put the changed notes and corrections under DVC again; if everything was removed, remove their .dvc files instead."""
    for path in paths:
        pointer = files.dvc_pointer(path)
        if pointer.is_file() and everything:
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
    personal = [folder, Path(values["corrections"])]
    missing = preconditions.not_checked_out(personal)
    if missing and not args.all:  # `dvc add` would make a new version without what is not here
        raise UserError(
            "{path}: DVC tracks it, but it is not checked out",
            "`dvc checkout {path}.dvc` restores it, `dvc pull {path}.dvc` fetches it",
            path=missing[0],
        )
    try:
        with Repo() as repo, preconditions.no_dvc_at_work(repo):
            wanted = [each.name for each in notes.find(folder) if not each.problem] if args.all and folder.is_dir() else args.note
            trail = find_notes(wanted, folder, args.ledger)
            indexes = search_and_remove(repo, trail, args, values)
    except DvcException as error:
        raise UserError("DVC: {error}", "fix that and run this again", error=error) from error
    for index in indexes:  # closed by now
        shutil.rmtree(index, ignore_errors=True)
    update_dvc_pointers(personal, everything=args.all)
    print(tr("forgotten: {notes}", notes=tr("all notes") if args.all else ", ".join(sorted(trail.ids))))
    print(tr("next: `make notes` or `make profile NAME=pocket`") if args.all else tr("next: dvc repro && dvc push && git commit -a"))


def search_and_remove(repo: Repo, trail: Trail, args: argparse.Namespace, values: dict[str, Any]) -> set[Path]:
    """Make the plan, show it, ask, and carry it out. Returns DVC's indexes that know of the notes.

    Raises:
        UserError: there is nothing to remove, or the user does not agree.
        DvcException: DVC fails.
    """
    plan = make_plan(repo, trail, args, values)
    if not plan and not args.all:  # with --all, an interrupted run may have left the .dvc files
        where = ", ".join(args.note)
        raise UserError("{where}: no trace of it anywhere", "look into {file}", where=where, file=Path(values["notes"], origins.NAME))
    show(plan)
    if not args.yes and not _agreed():
        raise UserError("nothing was removed", "answer yes, or --yes in a script")
    preconditions.require_no_stage(repo)  # an experiment may have begun in a copy of the checkout meanwhile
    remove_from_servers(repo, plan)
    if Path(values["notes"]).is_dir() and not args.all:
        forgotten.add(Path(values["notes"]), trail.ids | trail.sounds)
    remove_here(plan, Path(values["notes"]))
    return {Path(repo.site_cache_dir)} | traces.in_indexes(Path(repo.site_cache_dir).parent, trail)


def _agreed() -> bool:
    return sys.stdin.isatty() and command.ask(tr("Remove all this? It cannot be undone. [yes/no] ")).lower() in ("yes", "si", "sí")


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
