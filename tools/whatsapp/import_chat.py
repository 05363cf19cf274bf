"""Import a speaker's voice notes from a WhatsApp export (.zip or folder), or from a plain folder of audio.

    python -m tools.whatsapp.import_chat ~/Downloads/"Chat de WhatsApp con Ana.zip" --sender Ana    (`make notes ZIP="…" SENDER=Ana`)

Reads   the export, without changing it. Running it again on a newer export adds the new notes.
Writes  data/notes/<date>_<id>.<ext>, notes.csv, consent.yaml (asked for, or --consent-speaker and --consent-statement)
        data/notes/transcripts.csv if the export has WhatsApp's own transcripts: the review page shows them, nothing trusts them
        data/corrections.csv if there is none; `notes:` and `corrections:` in params.yaml; puts both under DVC
"""

import argparse
import datetime
import functools
import os
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools import profile
from tools.dvc_command import dvc_add
from tools.whatsapp import candidates, export, names, texts
from voz.audio import decode, faults
from voz.data import consent, corrections, forgotten, notes, origins, phone_transcripts
from voz.pipeline import cache, command, files, parallel, sandbox
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr


@dataclass(frozen=True)
class CopiedNote:
    """A note copied out of the export into a temporary folder."""

    candidate: candidates.Candidate
    path: Path
    id: str
    duration_s: float | None  # None if it could not be decoded
    sha256: str  # of the decoded samples; empty if it could not be decoded


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


def copy_notes(
    source: export.Export, chosen: list[candidates.Candidate], folder: Path, *, workers: int
) -> tuple[list[CopiedNote], list[str]]:
    """Copy files into a temporary folder, under numbers as names, and hash and decode them.

    Returns:
        (the copied notes, the names of damaged members).
    """
    copied: list[tuple[candidates.Candidate, Path]] = []
    damaged = []
    for number, candidate in enumerate(parallel.progress(chosen, total=len(chosen), label="copy")):
        path = folder / f"{number:06d}{candidates.extension_of(candidate.member.name)}"
        try:
            source.copy(candidate.member, path)
            copied.append((candidate, path))
        except export.Damaged:
            damaged.append(candidate.member.name)
    engine = parallel.Engine(workers)
    identities = parallel.map(functools.partial(_identify, folder), [path for _, path in copied], label="decode", engine=engine)
    return [CopiedNote(candidate, path, *identity) for (candidate, path), identity in zip(copied, identities, strict=True)], damaged


def without_forgotten(copied: list[CopiedNote], folder: Path) -> list[CopiedNote]:
    """Those that `make forget` did not remove from the folder, nor the same sound in another file."""
    gone = forgotten.read(folder)
    return [note for note in copied if gone.isdisjoint(forgotten.hashed(each) for each in (note.id, note.sha256) if each)]


def add_new(copied: list[CopiedNote], folder: Path, sender: str) -> list[origins.Origin]:
    """Add new notes to the notes folder and its notes.csv, and return their rows. Nothing is overwritten.

    A note is known already if the folder has the same bytes, or the same sound in another file.
    """
    known = origins.read(folder)
    known_ids = {origin.id for origin in known}
    known_sounds = {origin.sha256 for origin in known if origin.sha256}
    ids_in_folder = {notes.id_of(path) for path in sorted(folder.iterdir()) if path.is_file() and candidates.extension_of(path.name)}
    added: list[origins.Origin] = []
    for note in sorted(copied, key=lambda each: (each.candidate.date, each.candidate.member.name, each.id)):
        if note.id in known_ids or (note.id not in ids_in_folder and note.sha256 and note.sha256 in known_sounds):
            continue
        name = origins.file_name(note.id, note.candidate.date, note.path.suffix)
        if note.id not in ids_in_folder:  # else a killed run did not get to notes.csv, or a person put the file there
            files.copy(note.path, folder / name)
        duration_s = "" if note.duration_s is None else f"{note.duration_s:.3f}"
        added.append(origins.Origin(name, note.candidate.date, sender, note.candidate.member.name, duration_s, note.sha256))
        known_ids.add(note.id)
        known_sounds.add(note.sha256)
    if added or not (folder / origins.NAME).is_file():
        origins.write(folder, [*known, *added])
    return added


def transcripts(copied: list[CopiedNote], known: list[origins.Origin]) -> dict[str, str]:
    """The phone's transcripts by the id of the note that the folder has: itself, or one with the same sound."""
    ids = {origin.id for origin in known}
    id_of_sound = {origin.sha256: origin.id for origin in known if origin.sha256}
    found: dict[str, str] = {}
    for note in copied:
        note_id = note.id if note.id in ids else id_of_sound.get(note.sha256, "")
        if note_id and note.candidate.transcript:
            found.setdefault(note_id, note.candidate.transcript)
    return found


def obtain_consent(folder: Path, sender: str, args: argparse.Namespace) -> consent.Consent:
    """The consent for these notes: the record in the folder, else from the options, else asked for. Writes nothing.

    Raises:
        UserError: the speaker does not agree, or there are neither options nor a terminal to ask in, or the folder holds
            notes of another sender.
    """
    if (folder / consent.NAME).is_file():
        record = consent.read(folder)
        _check_same_speaker(folder, sender, record, args)
        return record
    today = datetime.date.today().isoformat()
    if args.consent_speaker and args.consent_statement:
        return consent.Consent(args.consent_speaker, today, args.consent_statement, args.consent_scope)
    if not sys.stdin.isatty():
        raise UserError(
            "consent: who speaks, and do they agree?", "--consent-speaker NAME --consent-statement TEXT, or run it in a terminal"
        )
    speaker = command.ask(tr("Who speaks in these notes? [{sender}] ", sender=sender)) or sender
    if not speaker or not _confirmed(tr("Does {speaker} agree that a synthetic voice is trained from them?", speaker=speaker)):
        raise UserError("no consent, nothing was imported", "ask the speaker first")
    statement = command.ask(tr("In their words [{statement}] ", statement=tr(consent.STATEMENT))) or tr(consent.STATEMENT)
    scope = command.ask(tr("What may the voice be used for? [{scope}] ", scope=tr(consent.SCOPE))) or tr(consent.SCOPE)
    return consent.Consent(speaker, today, statement, scope)


def import_notes(args: argparse.Namespace, folder: Path, workers: int) -> Imported:
    """Choose notes of the export, obtain consent, and add the new ones to the notes folder.

    Raises:
        UserError: the export cannot be read or has no audio of the sender, or there is no consent.
    """
    with export.opened(Path(args.export)) as source:
        chosen, left_out, chats = choose(source, args)
        sender = chosen[0].sender or names.clean_sender(args.sender)
        agreed = obtain_consent(folder, sender, args)
        files.require_free(folder, 2 * sum(candidate.member.size_bytes for candidate in chosen), what=tr("importing the notes"))
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / consent.NAME).is_file():
            consent.write(folder, agreed)
        with cache.scratch() as temporary:
            copied, damaged = copy_notes(source, chosen, temporary, workers=workers)
            wanted = without_forgotten(copied, folder)
            added = add_new(wanted, folder, sender or agreed.speaker)
    phone_transcripts.add(folder, transcripts(wanted, origins.read(folder)))
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


def _identify(folder: Path, path: Path) -> tuple[str, float | None, str]:
    """(id, duration in seconds, hash of the samples) of a copied file; (id, None, "") if it cannot be decoded (convert says why)."""
    note_id, raw = notes.id_of(path), folder / f"{path.name}.raw"
    try:
        with files.named_in_errors(raw):
            sound = sandbox.call(decode.decode, path, raw, limit_s=decode.LIMIT_S)
        return note_id, sound.samples / sound.rate_hz, sound.sha256
    except (faults.Unusable, sandbox.Crashed, sandbox.TimedOut, MemoryError):
        return note_id, None, ""
    finally:
        raw.unlink(missing_ok=True)


def _check_same_speaker(folder: Path, sender: str, record: consent.Consent, args: argparse.Namespace) -> None:
    """Make sure that notes of another sender in the folder are the same person's: by option, or by asking.

    Raises:
        UserError: they are not, or there is no terminal to ask in.
    """
    key = names.sender_key(sender)
    others = sorted({origin.sender for origin in origins.read(folder) if origin.sender and names.sender_key(origin.sender) != key})
    if not others or args.same_speaker:
        return
    question = tr(
        'Notes of "{other}" are in {folder}. Is "{sender}" the same person ({speaker})?',
        other=others[0],
        folder=folder,
        sender=sender,
        speaker=record.speaker,
    )
    if not _confirmed(question):
        raise UserError(
            '{folder}: holds notes of "{sender}"',
            "a voice needs one speaker: use another --notes folder, or --same-speaker if it is the same person",
            folder=folder,
            sender=others[0],
        )


def _confirmed(question: str) -> bool:
    """True if the user answers yes; False if there is no terminal to ask in."""
    return sys.stdin.isatty() and command.ask(tr("{question} [yes/no] ", question=question)).lower() in ("y", "yes", "s", "si", "sí")


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
