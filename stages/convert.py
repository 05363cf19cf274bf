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
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from voz.audio import decode, downmix, leveling
from voz.data import consent, notes, origins
from voz.pipeline import cache, command, ledger, output, parallel, params, records, sandbox

STEP_VERSION = 1  # raise when the same file gives another wav or code; tests/test_convert.py holds a golden output
MIN_S = 0.3  # shorter holds no word
SILENT_DB = -65.0  # behind the high-pass; a whisper at arm's length is about -50 dB
DECODE_LIMIT_S = 600.0  # a 4 h note takes about 90 s
WAV = "note.wav"


@dataclass(frozen=True)
class Params:
    """Section `convert` of params.yaml."""

    highpass_hz: float
    level_db: float
    accept_damaged: bool

    def __post_init__(self) -> None:
        if not 10.0 <= self.highpass_hz <= 300.0:
            raise ValueError(f"highpass_hz: {self.highpass_hz} is not within 10 and 300")
        if not -40.0 <= self.level_db <= -10.0:
            raise ValueError(f"level_db: {self.level_db} is not within -40 and -10")


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
    """A file of the folder with the hash of its bytes and its place in the scratch."""

    found: notes.Found
    sha256: str
    key: cache.Key

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


def convert_to_scratch(file: File, store: cache.Scratch, p: Params) -> Outcome | None:
    """Convert one file into its scratch entry. A timeout tells of the machine's load too, so it is not remembered.

    Returns:
        None where the entry holds the outcome; the outcome where it must not be remembered.
    """
    try:
        with store.put(file.key) as folder:
            outcome = convert(file.found.path, folder, p)
            (folder / "decoded.f32").unlink(missing_ok=True)
            cache.write_json(folder, "outcome.json", asdict(outcome))
    except sandbox.TimedOut as error:
        return Outcome("decoder_timeout", str(error))
    except (PermissionError, FileNotFoundError) as error:
        if file.found.path.exists() and error.filename != str(file.found.path):
            raise  # the scratch, not the note
        return Outcome("unreadable", error.strerror or str(error))
    return None


def identify(found: list[notes.Found], store: cache.Scratch, account: ledger.Account) -> list[File]:
    """Hash every file that may be opened; the others go to the ledger."""
    files = []
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
            files.append(File(each, sha256, store.key(sha256)))
    return files


def compute(files: list[File], store: cache.Scratch, p: Params, *, workers: int) -> dict[str, Outcome]:
    """The outcome of each distinct content by its key: from the scratch, or computed on all cores."""
    distinct = {file.key: file for file in files}
    missing = [file for key, file in distinct.items() if store.get(key) is None]
    work = functools.partial(convert_to_scratch, store=store, p=p)
    unkept = dict(zip([file.key for file in missing], parallel.map(work, missing, label="convert", workers=workers), strict=True))
    cache.log("convert", computed=len(missing), reused=len(distinct) - len(missing), files=len(files))
    return {key: unkept.get(key) or _remembered(store.path(key)) for key in distinct}


def settle(files: list[File], outcomes: dict[str, Outcome], account: ledger.Account, dates: dict[str, str]) -> dict[str, records.Note]:
    """Accept each sound once, under the first of its names; everything else goes to the ledger. Returns notes by key."""
    kept: dict[str, records.Note] = {}
    first: dict[str, File] = {}
    for file in files:
        outcome, name = outcomes[file.key], file.found.name
        if outcome.reason:
            account.reject(name, name, outcome.reason, name=name, detail=outcome.detail)
        elif outcome.sound in first:
            same = first[outcome.sound]
            account.reject(name, name, "duplicate", name=name, detail=f"the same sound as {same.found.name} ({same.id})")
        else:
            first[outcome.sound] = file
            account.accept(name, file.id, start_s=0.0, end_s=outcome.duration_s, name=name, detail=outcome.detail)
            kept[file.key] = records.Note(
                id=file.id,
                name=name,
                duration_s=outcome.duration_s,
                format=outcome.format,
                source_hz=outcome.source_hz,
                missing_s=outcome.missing_s,
                date=notes.date_of(name, dates),
            )
    return kept


def write(folder: Path, kept: dict[str, records.Note], store: cache.Scratch, source: Path) -> None:
    """Write the output whole: wavs, manifest, consent."""
    with output.whole_folder(folder):
        for key, note in kept.items():
            cache.place(store.path(key) / WAV, folder / f"{note.id}.wav")
        records.write(folder, kept.values())
        if consent.carry(source, folder) is None:
            print(f"warning: {source / consent.NAME} is missing: training will refuse ({consent.MAKE})", file=sys.stderr)


def main() -> None:
    """Convert a folder of notes."""
    args = parse_args()
    p, workers = params.load("convert", Params), params.load("compute", params.Compute).workers
    found = notes.find(args.notes)
    account = ledger.Account("convert", [each.name for each in found])
    store = cache.Scratch("convert", STEP_VERSION, params=asdict(p))
    files = identify(found, store, account)
    kept = settle(files, compute(files, store, p, workers=workers), account, {each.file: each.date for each in origins.read(args.notes)})
    account.close(args.ledger)
    if not kept:
        why = ", ".join(f"{count} {reason}" for reason, count in account.reasons.items()) or "the folder is empty"
        raise command.UserError(f"{args.notes}: no usable voice note ({why})", f"put notes there; {args.ledger} has a line per file")
    write(args.wav, kept, store, args.notes)
    print(account.summary())


def _remembered(entry: Path) -> Outcome:
    return Outcome(**json.loads((entry / "outcome.json").read_text(encoding="utf-8")))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path, help="folder of voice notes")
    parser.add_argument("wav", type=Path, help="folder to write")
    parser.add_argument("--ledger", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
