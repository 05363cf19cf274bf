"""Import a speaker's voice notes from a WhatsApp export (.zip or folder), or from a plain folder of audio.

    python -m tools.whatsapp.import_chat ~/Downloads/"Chat de WhatsApp con Ana.zip" --sender Ana    (`make notes ZIP="…" SENDER=Ana`)

Reads   the export, without changing it. Running it again on a newer export adds the new notes.
Writes  data/notes/<date>_<id>.<ext>, notes.csv, consent.yaml (asked for, or --consent-speaker and --consent-statement)
        data/notes/transcripts.csv if the export has WhatsApp's own transcripts: the review page shows them, nothing trusts them
        data/corrections.csv if there is none; `notes:` and `corrections:` in params.yaml; puts both under DVC
"""

import argparse
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools import profile
from tools.dvc_command import dvc_add
from tools.whatsapp import agreement, candidates, copies, export, names, texts
from voz.data import consent, corrections, origins, phone_transcripts
from voz.pipeline import cache_folders, command, files
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr


@dataclass(frozen=True)
class Imported:
    """The result of an import."""

    added: list[origins.Origin]
    known: int  # notes that the folder already had
    left_out: Counter[str]  # number of files for each reason
    chats: list[texts.ChatText]


def choose(source: export.Export, args: argparse.Namespace) -> tuple[list[candidates.Candidate], Counter[str], list[texts.ChatText]]:
    """The files to import, how many were left out for each reason, and the chats of the export.

    Raises:
        UserError: there is no audio, or none of the sender.
    """
    chats = texts.find_chats(source)
    chosen, left_out = candidates.find(source, chats)
    if chats:
        chosen = candidates.of_sender(chosen, args.sender, left_out, Path(args.export), audio_files=args.audio_files)
    if not chosen:
        raise UserError(
            "{export}: no audio in it{left_out}",
            "looked for {endings}; export the chat with media",
            export=args.export,
            left_out=candidates.summary(left_out),
            endings=" ".join(sorted(candidates.EXTENSIONS)),
        )
    return chosen, left_out, chats


def import_notes(args: argparse.Namespace, folder: Path, workers: int) -> Imported:
    """Choose notes of the export, obtain consent, and add the new ones to the notes folder.

    Raises:
        UserError: the export cannot be read or has no audio of the sender, or there is no consent.
    """
    with export.opened(Path(args.export)) as source:
        chosen, left_out, chats = choose(source, args)
        sender = chosen[0].sender or names.clean_sender(args.sender)
        agreed = agreement.obtain(folder, sender, args)
        files.require_free(folder, 2 * sum(candidate.member.size_bytes for candidate in chosen), what=tr("importing the notes"))
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / consent.NAME).is_file():
            consent.write(folder, agreed)
        with cache_folders.scratch() as temporary:
            copied, damaged = copies.copy_notes(source, chosen, temporary, workers=workers)
            wanted = copies.without_forgotten(copied, folder)
            added = copies.add_new(wanted, folder, sender or agreed.speaker)
    phone_transcripts.add(folder, copies.transcripts(wanted, origins.read(folder)))
    left_out[later("damaged in the zip")] += len(damaged)
    left_out[later("forgotten by `make forget`")] += len(copied) - len(wanted)
    return Imported(added, len(wanted) - len(added), left_out, chats)


def warn_if_inside(source: Path) -> None:
    """Warn if the export lies in the repository, where it does not belong: it holds everybody's messages."""
    if source.resolve().is_relative_to(Path.cwd().resolve()):
        print(
            tr("warning: {source} lies in the repository: keep it elsewhere, so that no `git add` takes it", source=source), file=sys.stderr
        )


def set_params(path: Path, **values: str) -> None:
    """Set top-level values of params.yaml and keep its comments. Writes only if a value changes."""
    document = profile.read(path)
    if profile.overlay(document, values):
        files.write_text(path, profile.dump(document))


def main() -> None:
    args = parse_args()
    args.export = os.path.expanduser(args.export)  # no shell expands the ~ in ZIP="~/…"
    if not args.export:
        raise UserError("which export?", 'make notes ZIP="the .zip or folder" SENDER="whose notes"')
    folder, corrections_file = _in_repository(args.notes), _in_repository(args.corrections)
    workers = int(profile.read(args.params)["compute"]["workers"])
    warn_if_inside(Path(args.export))
    imported = import_notes(args, folder, workers)
    if not corrections_file.is_file():
        corrections.write(corrections_file, [])
    set_params(args.params, notes=folder.as_posix(), corrections=corrections_file.as_posix())
    dvc_add(folder, corrections_file, fix=tr("fix that and run the same command again"))
    _print_summary(folder, imported)
    print(
        tr(
            "{params}: notes: {folder}, corrections: {corrections_file}",
            params=args.params,
            folder=folder,
            corrections_file=corrections_file,
        )
    )
    print(
        tr(
            "next: git add {folder}.dvc {corrections_file}.dvc {params} && dvc repro",
            folder=folder,
            corrections_file=corrections_file,
            params=args.params,
        )
    )


def _print_summary(folder: Path, imported: Imported) -> None:
    seconds = sum(float(origin.duration_s or 0) for origin in imported.added)
    undecodable = sum(not origin.duration_s for origin in imported.added)
    print(
        tr(
            "{folder}: {count} new notes, {minutes:.1f} min; {known} were there already",
            folder=folder,
            count=len(imported.added),
            minutes=seconds / 60,
            known=imported.known,
        )
    )
    if undecodable:
        print(
            tr("{undecodable} of them could not be decoded: `dvc repro` says why, in reports/ledger/convert.csv", undecodable=undecodable)
        )
    for reason, count in sorted(imported.left_out.items()):
        if count:
            print(tr("left out: {count} {reason}", count=count, reason=tr(reason)))
    for text in imported.chats:
        if text.encoding != "utf-8":
            print(
                tr(
                    "{name}: read as {encoding}; if a name in {origins} looks wrong, save the text as UTF-8",
                    name=text.member.name,
                    encoding=text.encoding,
                    origins=folder / origins.NAME,
                )
            )
    if not imported.chats:
        print(tr("the export has no chat: all its audio was imported, whoever speaks (curate rejects clips that sound like somebody else)"))
    agreed = consent.read(folder)
    print(tr("consent: {speaker}, {date} ({path})", speaker=agreed.speaker, date=agreed.date, path=folder / consent.NAME))


def _in_repository(path: Path) -> Path:
    """`path` relative to the working directory, as DVC and params.yaml need it.

    Raises:
        UserError: it is outside, or DVC tracks it and it is not checked out (importing would drop its content from DVC's new version).
    """
    try:
        relative = path.resolve().relative_to(Path.cwd().resolve())
    except ValueError as error:
        raise UserError("{path}: outside of the repository", "use a path inside it, such as data/notes", path=path) from error
    if files.dvc_pointer(relative).is_file() and not relative.exists():
        raise UserError(
            "{path}: DVC tracks it, but it is not checked out",
            "`dvc checkout {path}.dvc` restores it, `dvc pull {path}.dvc` fetches it",
            path=relative,
        )
    return relative


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "export", help="the .zip that WhatsApp exported (with media), the folder or .txt that came out of it, or a folder of audio"
    )
    parser.add_argument("--sender", default="", help="whose notes to import, by the name in the chat")
    parser.add_argument("--audio-files", action="store_true", help="also import audio files (AUD-*), which are often somebody else's")
    parser.add_argument("--notes", type=Path, default=Path("data/notes"))
    parser.add_argument("--corrections", type=Path, default=Path("data/corrections.csv"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--consent-speaker", default="", metavar="NAME", help="for scripts: who speaks and has agreed")
    parser.add_argument("--consent-statement", default="", metavar="TEXT", help="for scripts: what they agreed to")
    parser.add_argument("--consent-scope", default=consent.SCOPE, metavar="TEXT")
    parser.add_argument("--same-speaker", action="store_true", help="notes of another sender, already in the folder, are the same person's")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
