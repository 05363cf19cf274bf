"""Take a speaker's voice notes out of a WhatsApp export (.zip or folder), or out of a plain folder of audio.

    python -m tools.whatsapp.import_chat "Chat de WhatsApp con Ana.zip" --sender Ana        (`make notes ZIP="…" SENDER=Ana`)

Reads   the export; it is never changed. Running it again on a newer one adds what is new.
Writes  data/notes/<day>_<id>.<ext>, notes.csv, consent.yaml (asked for, or --consent-speaker and --consent-statement)
        data/corrections.csv if there is none; `notes:` and `corrections:` in params.yaml; `dvc add`s both
"""

import argparse
import datetime
import functools
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tools import profile
from tools.whatsapp import chat, export, offers
from voz.audio import decode, downmix
from voz.data import consent, corrections, origins
from voz.pipeline import cache, command, files, parallel, sandbox
from voz.pipeline.command import UserError
from voz.pipeline.files import write_text

DECODE_LIMIT_S = 600.0  # 3 h of Opus take about a minute on one core


@dataclass(frozen=True)
class Taken:
    """A file copied out of the export: where it lies for now, its id, its length and the hash of its sound."""

    offer: offers.Offer
    path: Path
    id: str
    duration_s: float | None
    sha256: str


def take(source: export.Source, wanted: list[offers.Offer], folder: Path, *, workers: int) -> tuple[list[Taken], list[str]]:
    """Copy files into `folder` (temporary) under numbers, hash and decode them; also the names that did not unpack."""
    copied: list[tuple[offers.Offer, Path]] = []
    damaged = []
    for number, offer in enumerate(parallel.progress(wanted, total=len(wanted), label="copy")):
        path = folder / f"{number:06d}{offers.extension_of(offer.member.name)}"
        try:
            source.copy(offer.member, path)
            copied.append((offer, path))
        except export.Damaged:
            damaged.append(offer.member.name)
    measured = parallel.map(functools.partial(_measure, folder), [path for _, path in copied], label="decode", workers=workers)
    return [Taken(offer, path, *values) for (offer, path), values in zip(copied, measured, strict=True)], damaged


def store(taken: list[Taken], folder: Path, sender: str) -> tuple[list[origins.Origin], int]:
    """Put what is new into the notes folder and its notes.csv; nothing is overwritten.

    Returns:
        (rows added, how many were there already: the same bytes, or the same sound).
    """
    known = origins.read(folder)
    ids = {files.hash_file(path)[:12] for path in sorted(folder.iterdir()) if path.is_file() and path.suffix in offers.EXTENSIONS}
    rows = {origin.id for origin in known}
    sounds = {origin.sha256 for origin in known if origin.sha256}
    added: list[origins.Origin] = []
    for each in sorted(taken, key=lambda one: (one.offer.date, one.offer.member.name, one.id)):
        if each.id in rows or (each.id not in ids and each.sha256 and each.sha256 in sounds):
            continue
        name = origins.file_name(each.id, each.offer.date, each.path.suffix)
        if each.id not in ids:  # else: a run that was killed before it wrote notes.csv, or somebody put it there
            files.copy(each.path, folder / name)
        seconds = "" if each.duration_s is None else f"{each.duration_s:.3f}"
        added.append(origins.Origin(name, each.offer.date, sender, each.offer.member.name, seconds, each.sha256))
        rows.add(each.id)
        sounds.add(each.sha256)
    if added or not (folder / origins.NAME).is_file():
        origins.write(folder, [*known, *added])
    return added, len(taken) - len(added)


def settle_consent(folder: Path, sender: str, args: argparse.Namespace) -> consent.Consent:
    """The consent for these notes: the one on file, from the flags, or asked for. Writes nothing.

    Raises:
        UserError: nobody to ask and no flags; not agreed; notes of another sender are in the folder.
    """
    others = sorted({origin.sender for origin in origins.read(folder)} - {sender, ""})
    if (folder / consent.NAME).is_file():
        record = consent.read(folder)
        if (
            others
            and not args.same_speaker
            and not _asked(f'Notes of "{others[0]}" are in {folder}. Is "{sender}" the same person ({record.speaker})?')
        ):
            raise UserError(
                f'{folder}: holds notes of "{others[0]}"',
                "a voice is one person's: another --notes folder, or --same-speaker if it is the same one",
            )
        return record
    today = datetime.date.today().isoformat()
    if args.consent_speaker and args.consent_statement:
        return consent.Consent(args.consent_speaker, today, args.consent_statement, args.consent_scope)
    if not sys.stdin.isatty():
        raise UserError(
            "consent: who speaks, and do they agree?", "--consent-speaker NAME --consent-statement TEXT, or run it in a terminal"
        )
    speaker = input(f"Who speaks in these notes? [{sender}] ").strip() or sender
    if not speaker or not _asked(f"Does {speaker} agree that a synthetic voice is trained from them?"):
        raise UserError("no consent, nothing was taken", "ask the speaker first")
    statement = input(f"In their words [{consent.STATEMENT}] ").strip() or consent.STATEMENT
    scope = input(f"What may the voice be used for? [{consent.SCOPE}] ").strip() or consent.SCOPE
    return consent.Consent(speaker, today, statement, scope)


def point_params(path: Path, **values: str) -> None:
    """Set top-level values in params.yaml, comments kept; written only if something changed."""
    document = profile.read(path)
    if profile.overlay(document, values):
        write_text(path, profile.dump(document))


def dvc_add(*paths: Path) -> None:
    """`dvc add`, with DVC's own last words if it fails."""
    call = [sys.executable, "-m", "dvc", "add", "-q", "--", *map(str, paths)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode:
        words = done.stderr.strip().splitlines() or ["no words"]
        raise UserError(f"dvc add {' '.join(map(str, paths))}: {words[0]}", "mend that and run the same command again")


def main() -> None:
    args = parse_args()
    if not args.export:
        raise UserError("which export?", 'make notes ZIP="the .zip or folder" SENDER="whose notes"')
    folder, corrected = _inside(args.notes), _inside(args.corrections)
    document = profile.read(args.params)
    with export.opened(Path(args.export)) as source:
        chats = offers.chats_of(source)
        found, left_out = offers.find(source, chats, audio_files=args.audio_files)
        mine = offers.of_sender(found, args.sender, Path(args.export)) if chats else found
        if not mine:
            raise UserError(
                f"{args.export}: no audio in it", f"looked for {' '.join(sorted(offers.EXTENSIONS))}; export the chat with media"
            )
        left_out["of other senders"] += len(found) - len(mine)
        agreed = settle_consent(folder, chat.clean(args.sender), args)
        files.require_free(folder, 2 * sum(offer.member.size_bytes for offer in mine), what="taking the notes")
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / consent.NAME).is_file():
            consent.write(folder, agreed)
        cache.root().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="import-", dir=cache.root()) as temporary:
            taken, damaged = take(source, mine, Path(temporary), workers=int(document["compute"]["workers"]))
            added, known = store(taken, folder, chat.clean(args.sender) or agreed.speaker)
    left_out["damaged in the zip"] += len(damaged)
    if not corrected.is_file():
        corrections.write(corrected, [])
    point_params(args.params, notes=folder.as_posix(), corrections=corrected.as_posix())
    dvc_add(folder, corrected)
    _tell(folder, added, known, left_out)
    if not chats:
        print("no chat's text in it: all its audio was taken, whoever speaks (curate rejects who sounds like somebody else)")
    print(f"consent: {agreed.speaker}, {agreed.date} ({folder / consent.NAME})")
    print(f"{args.params}: notes: {folder}, corrections: {corrected}")
    print(f"next: git add {folder}.dvc {corrected}.dvc {args.params} && dvc repro")


def _tell(folder: Path, added: list[origins.Origin], known: int, left_out: Counter[str]) -> None:
    seconds = sum(float(origin.duration_s or 0) for origin in added)
    mute = sum(not origin.duration_s for origin in added)
    print(f"{folder}: {len(added)} new notes, {seconds / 60:.1f} min; {known} were there already")
    if mute:
        print(f"{mute} of them could not be decoded: `dvc repro` says why, in reports/ledger/convert.csv")
    for reason, count in sorted(left_out.items()):
        if count:
            print(f"left out: {count} {reason}")


def _measure(folder: Path, path: Path) -> tuple[str, float | None, str]:
    """(id, seconds, hash of the sound) of a copied file; (id, None, "") where no sound comes out: convert says why."""
    note_id, raw = files.hash_file(path)[:12], folder / f"{path.name}.raw"
    try:
        sound = sandbox.call(decode.decode, path, raw, limit_s=DECODE_LIMIT_S)
        return note_id, sound.samples / sound.rate_hz, sound.sha256
    except (downmix.Unusable, sandbox.Crashed, sandbox.TimedOut, MemoryError):
        return note_id, None, ""
    finally:
        raw.unlink(missing_ok=True)


def _asked(question: str) -> bool:
    """True if somebody answered yes; False where nobody can be asked."""
    return sys.stdin.isatty() and input(f"{question} [y/N] ").strip().lower() in ("y", "yes", "s", "si", "sí")


def _inside(path: Path) -> Path:
    """`path` relative to this folder, which is where DVC and params.yaml look from.

    Raises:
        UserError: it lies outside, or DVC has it and it is not checked out (what is there would be lost from the new version).
    """
    try:
        inside = path.resolve().relative_to(Path.cwd().resolve())
    except ValueError as error:
        raise UserError(f"{path}: outside of the repository", "take a path below it, such as data/notes") from error
    if Path(f"{inside}.dvc").is_file() and not inside.exists():
        raise UserError(f"{inside}: DVC has it, but it is not here", f"dvc pull {inside}.dvc")
    return inside


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("export", help="the .zip or folder that WhatsApp exported (with media), or a folder of audio")
    parser.add_argument("--sender", default="", help="whose notes, as the chat names them")
    parser.add_argument("--audio-files", action="store_true", help="also audio files (AUD-*): they are often somebody else's")
    parser.add_argument("--notes", type=Path, default=Path("data/notes"))
    parser.add_argument("--corrections", type=Path, default=Path("data/corrections.csv"))
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--consent-speaker", default="", metavar="NAME", help="for scripts: who speaks and has agreed")
    parser.add_argument("--consent-statement", default="", metavar="TEXT", help="for scripts: what they agreed to")
    parser.add_argument("--consent-scope", default=consent.SCOPE, metavar="TEXT")
    parser.add_argument(
        "--same-speaker", action="store_true", help="the notes in the folder, under another sender's name, are the same person's"
    )
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
