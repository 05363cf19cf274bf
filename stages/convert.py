"""Convert voice notes as a phone wrote them into one kind of wav.

    python -m stages.convert data/notes data/wav --ledger reports/ledger/convert.csv

Reads   a folder of voice notes (any names, any of the usual formats), with `consent.yaml` and perhaps `notes.csv`
Writes  data/wav/manifest.jsonl + <id>.wav            mono PCM16, 22 050 Hz; id = first 12 hex of the file's SHA-256
        data/wav/consent.yaml                         carried along
        reports/ledger/convert.csv                    every file: accepted, or why not (docs/data-format.md)
"""

import argparse
import functools
import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import Field

from voz.audio import decode, downmix, leveling
from voz.data import consent, notes, origins
from voz.pipeline import cache, command, files, ledger, params, records, sandbox
from voz.pipeline.checked import section

STEP_VERSION = 1  # raise when the same file gives another wav or code; tests/test_convert.py holds a golden output
MIN_S = 0.3  # shorter holds no word
SILENT_DB = -65.0  # behind the high-pass; a whisper at arm's length is about -50 dB
DECODE_LIMIT_S = 600.0  # a 4 h note takes about 90 s
WAV = "note.wav"


@section
class Params:
    """Section `convert` of params.yaml."""

    highpass_hz: float = Field(ge=10.0, le=300.0)
    level_db: float = Field(ge=-40.0, le=-10.0)
    accept_damaged: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a file: a wav (`reason` empty), or a reason code. `sound` is the hash of its decoded samples."""

    reason: str
    detail: str
    format: str = ""
    source_hz: int = 0
    duration_s: float = 0.0
    missing_s: float = 0.0
    sound: str = ""


@dataclass(frozen=True)
class File:
    """A file of the notes folder, with the hash of its bytes."""

    found: notes.NoteFile
    sha256: str

    @property
    def id(self) -> str:
        """The note's id: it follows from the bytes, never from the name."""
        return self.sha256[:12]


def convert(path: Path, folder: Path, p: Params) -> Outcome:
    """Decode and condition one file into `folder`/note.wav.

    Decoding runs in a child process with limits: a file that crashes or bombs a decoder costs that file.
    """
    raw = folder / "decoded.f32"
    try:
        sound = sandbox.call(decode.decode, path, raw, limit_s=DECODE_LIMIT_S)
    except downmix.Unusable as error:
        return Outcome(error.code, error.detail)
    except sandbox.Crashed as error:
        return Outcome("decoder_crashed", str(error))
    except MemoryError:
        return Outcome("decoder_memory", f"decoding it takes more than {sandbox.GIB // 2**20} MiB")
    if sound.fault and not p.accept_damaged:
        lost = f"; at least {sound.missing_s:.1f} s missing" if sound.missing_s >= 0.05 else ""
        return Outcome(sound.fault, sound.detail + lost)
    seconds = sound.samples / sound.rate_hz
    if seconds < MIN_S:
        return Outcome("too_short", f"{seconds:.2f} s")
    as_stored = {"rate_hz": sound.rate_hz, "scale": sound.scale, "offset": sound.offset}
    level = leveling.measure(raw, **as_stored, highpass_hz=p.highpass_hz)
    if level.active_db < SILENT_DB:
        return Outcome("silent", f"{max(level.active_db, -200.0):.0f} dB")
    leveling.condition(raw, folder / WAV, **as_stored, highpass_hz=p.highpass_hz, gain_db=level.gain_db(p.level_db))
    raw.unlink()
    return Outcome("", sound.detail, sound.format, sound.rate_hz, round(seconds, 3), round(sound.missing_s, 3), sound.sha256)


def convert_into_cache(file: File, entry: Path, p: Params) -> None:
    """Convert one file into its entry of the cache.

    Raises:
        Uncached: with an outcome that says more of the machine than of the file: a timeout, a file that may not be read now.
    """
    try:
        outcome = convert(file.found.path, entry, p)
    except sandbox.TimedOut as error:
        raise cache.Uncached(Outcome("decoder_timeout", str(error))) from error
    except (PermissionError, FileNotFoundError) as error:
        if file.found.path.exists() and error.filename != str(file.found.path):
            raise  # the cache cannot be written
        raise cache.Uncached(Outcome("unreadable", error.strerror or str(error))) from error
    (entry / "decoded.f32").unlink(missing_ok=True)
    cache.save_json(entry, "outcome.json", asdict(outcome))


def identify(found: list[notes.NoteFile], account: ledger.Account) -> list[File]:
    """Hash every file that may be opened; the others go to the ledger."""
    identified = []
    for each in found:
        if each.problem:
            account.reject(each.name, each.name, "not_a_file", name=each.name, detail=each.problem)
            continue
        try:
            with notes.open_regular(each.path) as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            account.reject(each.name, each.name, "unreadable", name=each.name, detail=error.strerror or str(error))
        else:
            identified.append(File(each, sha256))
    return identified


def keep(given: list[tuple[File, Outcome]], account: ledger.Account, dates: dict[str, str]) -> list[records.Note]:
    """Accept each sound once, under the first of its names; everything else goes to the ledger."""
    kept = []
    first: dict[str, File] = {}
    for file, outcome in given:
        name = file.found.name
        if outcome.reason:
            account.reject(name, name, outcome.reason, name=name, detail=outcome.detail)
        elif outcome.sound in first:
            same = first[outcome.sound]
            account.reject(name, name, "duplicate", name=name, detail=f"the same sound as {same.found.name} ({same.id})")
        else:
            first[outcome.sound] = file
            account.accept(name, file.id, start_s=0.0, end_s=outcome.duration_s, name=name, detail=outcome.detail)
            note = records.Note(
                id=file.id,
                name=name,
                duration_s=outcome.duration_s,
                format=outcome.format,
                source_hz=outcome.source_hz,
                missing_s=outcome.missing_s,
                date=notes.date_of(name, dates),
            )
            kept.append(note)
    return kept


def write(target: Path, kept: list[records.Note], wavs: dict[str, Path], source: Path) -> None:
    """Write the output whole: wavs, manifest, consent. `wavs`: each note's entry of the cache."""
    with files.whole_folder(target) as folder:
        for note in kept:
            files.copy(wavs[note.id] / WAV, folder / f"{note.id}.wav")
        records.write(folder, kept)
        if consent.carry(source, folder) is None:
            print(f"warning: {source / consent.NAME} is missing: training will refuse ({consent.MAKE})", file=sys.stderr)


def main() -> None:
    """Convert a folder of notes."""
    args = parse_args()
    p, workers = params.load("convert", Params), params.load("compute", params.Compute).workers
    found = notes.find(args.notes)
    account = ledger.Account("convert", [each.name for each in found])
    store = cache.Cache("convert", STEP_VERSION, params=asdict(p))
    given = identify(found, account)

    def key(file: File) -> cache.Key:
        return store.key(file.sha256)

    work = functools.partial(convert_into_cache, p=p)
    outcomes = store.map(given, key=key, work=work, load=remembered, label="convert", unit="note", workers=workers)
    dates = {each.file: each.date for each in origins.read(args.notes)}
    kept = keep(list(zip(given, outcomes, strict=True)), account, dates)
    account.close(args.ledger)
    if not kept:
        why = ", ".join(f"{count} {reason}" for reason, count in account.reasons.items()) or "the folder is empty"
        raise command.UserError(f"{args.notes}: no usable voice note ({why})", f"put notes there; {args.ledger} has a line per file")
    write(args.wav, kept, {file.id: store.path(key(file)) for file in given}, args.notes)
    print(account.summary())


def remembered(entry: Path) -> Outcome:
    """The outcome in an entry of the cache."""
    return Outcome(**cache.load_json(entry, "outcome.json"))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path, help="folder of voice notes")
    parser.add_argument("wav", type=Path, help="folder to write")
    parser.add_argument("--ledger", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
