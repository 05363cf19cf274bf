"""Notes copied out of an export: their ids and sounds, which of them the notes folder has already, adding the new ones."""

import functools
from dataclasses import dataclass
from pathlib import Path

from tools.whatsapp import candidates, export
from voz.audio import decode, faults
from voz.data import forgotten, notes, origins
from voz.pipeline import files, parallel, sandbox


@dataclass(frozen=True)
class CopiedNote:
    """A note copied out of the export into a temporary folder."""

    candidate: candidates.Candidate
    path: Path
    id: str
    duration_s: float | None  # None if it could not be decoded
    sha256: str  # of the decoded samples; empty if it could not be decoded


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
