"""Convert voice notes, as phones wrote them, into wavs of one kind.

    python -m stages.convert data/notes data/wav --ledger reports/ledger/convert.csv

Reads   a folder of voice notes (any names, any of the usual formats), with `consent.yaml` and perhaps `notes.csv`
Writes  data/wav/manifest.jsonl + <id>.wav            mono PCM16, 22 050 Hz; id = first 12 hex digits of the file's SHA-256
        data/wav/consent.yaml                         copied
        reports/ledger/convert.csv                    every file: accepted, or why not (docs/data-format.md)
"""

import argparse
import functools
import hashlib
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import Field

from voz.audio import decode, faults, leveling
from voz.data import consent, notes, origins
from voz.pipeline import cache, cache_folders, command, files, ledger, params, records, sandbox, seen
from voz.pipeline.checked import section
from voz.pipeline.language import tr

STEP_VERSION = 2  # raise when the same file gives another wav or code; tests/test_convert.py holds a golden output
MIN_S = 0.3  # a shorter note holds no word
SILENT_DB = -65.0  # after the high-pass; a whisper at arm's length is about -50 dB
LEAST_NAMED_S = 0.05  # the ledger mentions missing audio from this length on
RAW, WAV, OUTCOME = "decoded.f32", "note.wav", "outcome.json"  # in an entry of the cache; RAW only while it is filled


@section
class Params:
    """Section `convert` of params.yaml."""

    highpass_hz: float = Field(ge=10.0, le=300.0)
    level_db: float = Field(ge=-40.0, le=-10.0)
    accept_damaged: bool


@dataclass(frozen=True)
class Outcome:
    """What became of a file: a wav, or a reason code. `audio_sha256` is `decode.DecodedAudio.sha256`."""

    reason: str
    detail: str
    format: str = ""
    source_hz: int = 0
    duration_s: float = 0.0
    missing_s: float = 0.0
    audio_sha256: str = ""


DIED = Outcome("process_died", "")


@dataclass(frozen=True)
class HashedFile:
    """A file of the notes folder, with the hash of its bytes."""

    file: notes.NoteFile
    sha256: str

    @property
    def id(self) -> str:
        """The note's id: it depends on the bytes, never on the name."""
        return self.sha256[: records.ID_DIGITS]


def convert(path: Path, folder: Path, p: Params) -> Outcome:
    """Convert one file into `folder`/note.wav.

    It is decoded in a child process with limits, so a file that crashes a decoder or exhausts the memory affects only itself.

    Raises:
        sandbox.TimedOut: decoding it takes longer than decode.LIMIT_S.
        sandbox.Killed: see there.
    """
    raw = folder / RAW
    try:
        audio = sandbox.call(decode.decode, path, raw, limit_s=decode.LIMIT_S)
    except faults.Unusable as error:
        return Outcome(error.code, error.detail)
    except sandbox.Killed:
        raise
    except sandbox.Crashed as error:
        return Outcome("decoder_crashed", str(error))
    except MemoryError:
        return Outcome("decoder_memory", f"decoding it takes more than {sandbox.GIB // 2**20} MiB")
    if audio.fault and not p.accept_damaged:
        missing = f"; at least {audio.missing_s:.1f} s missing" if audio.missing_s >= LEAST_NAMED_S else ""
        return Outcome(audio.fault, audio.detail + missing)
    duration_s = audio.samples / audio.rate_hz
    if duration_s < MIN_S:
        return Outcome("too_short", f"{duration_s:.2f} s")
    settings = {"rate_hz": audio.rate_hz, "scale": audio.scale, "offset": audio.offset, "highpass_hz": p.highpass_hz}
    level = leveling.measure_level(raw, **settings)
    if level.active_db < SILENT_DB:
        return Outcome("silent", f"{level.active_db:.0f} dB")
    leveling.write_wav(raw, folder / WAV, **settings, gain_db=level.gain_db(p.level_db))
    return Outcome(
        reason="",
        detail=audio.detail,
        format=audio.format,
        source_hz=audio.rate_hz,
        duration_s=round(duration_s, 3),
        missing_s=round(audio.missing_s, 3),
        audio_sha256=audio.sha256,
    )


def convert_into_cache(given: HashedFile, entry: Path, p: Params) -> None:
    """Convert one file into its entry of the cache.

    Raises:
        cache.Uncached: with an outcome that may be another one next time: a time-out, a file that cannot be read now.
    """
    path = given.file.path
    try:
        outcome = convert(path, entry, p)
    except sandbox.TimedOut as error:
        raise cache.Uncached(Outcome("decoder_timeout", str(error))) from error
    except sandbox.Killed as error:
        raise cache.Uncached(Outcome("decoder_crashed", str(error))) from error
    except (PermissionError, FileNotFoundError) as error:
        if path.exists() and error.filename != str(path):
            raise  # the cache cannot be written
        raise cache.Uncached(Outcome("unreadable", error.strerror or str(error))) from error
    (entry / RAW).unlink(missing_ok=True)
    cache_folders.save_json(entry, OUTCOME, asdict(outcome))


def load_outcome(entry: Path) -> Outcome:
    """The outcome in an entry of the cache."""
    return Outcome(**cache_folders.load_json(entry, OUTCOME))


def hash_files(found: list[notes.NoteFile], account: ledger.Account) -> list[HashedFile]:
    """Hash every file that can be opened; reject the others."""
    hashed = []
    for each in found:
        if each.reason:
            account.reject(each.name, each.name, each.reason, name=each.name, detail=each.problem)
            continue
        try:
            with notes.open_regular(each.path) as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            account.reject(each.name, each.name, "unreadable", name=each.name, detail=error.strerror or str(error))
        else:
            hashed.append(HashedFile(each, sha256))
    return hashed


def preference(name: str, dates: dict[str, str]) -> tuple[bool, bool, str]:
    """Sort key: of two names of the same sound, the original comes first: the dated one, then one that does not call itself a copy."""
    return (not notes.date_of(name, dates), bool(notes.COPY.search(Path(name).stem)), name)


def account_for(results: list[tuple[HashedFile, Outcome]], account: ledger.Account, dates: dict[str, str]) -> list[records.Note]:
    """Accept each recording once, under its best name (`preference`), and reject everything else. Returns the accepted notes."""
    accepted = []
    first: dict[str, HashedFile] = {}  # by hash of the audio
    for given, outcome in sorted(results, key=lambda result: preference(result[0].file.name, dates)):
        name = given.file.name
        if outcome.reason:
            account.reject(name, name, outcome.reason, name=name, detail=outcome.detail)
        elif outcome.audio_sha256 in first:
            same = first[outcome.audio_sha256]
            account.reject(name, name, "duplicate", name=name, detail=f"the same sound as {same.file.name} ({same.id})")
        else:
            first[outcome.audio_sha256] = given
            account.accept(name, given.id, start_s=0.0, end_s=outcome.duration_s, name=name, detail=outcome.detail)
            note = records.Note(
                id=given.id,
                name=name,
                duration_s=outcome.duration_s,
                format=outcome.format,
                source_hz=outcome.source_hz,
                missing_s=outcome.missing_s,
                date=notes.date_of(name, dates),
            )
            accepted.append(note)
    return accepted


def write(target: Path, accepted: list[records.Note], entries: dict[str, Path], source: Path) -> None:
    """Write the whole output: wavs, manifest, consent. `entries` are the notes' entries of the cache, by id."""
    with files.whole_folder(target) as folder:
        for note in accepted:
            files.copy(entries[note.id] / WAV, folder / f"{note.id}.wav")
        records.write(folder, accepted)
        if consent.carry(source, folder) is None:
            print(
                tr("warning: {path} is missing: training will refuse ({fix})", path=source / consent.NAME, fix=consent.MAKE),
                file=sys.stderr,
            )


def main() -> None:
    """Convert a folder of notes."""
    args = parse_args()
    p, compute = params.load("convert", Params), params.load("compute", params.Compute)
    folder = seen.Seen(args.notes)
    found = notes.find(args.notes)
    account = ledger.Account("convert", [each.name for each in found])
    store = cache.Cache("convert", STEP_VERSION, params=asdict(p))
    hashed = hash_files(found, account)

    def key(given: HashedFile) -> cache.Key:
        return store.key(given.sha256)

    work = functools.partial(convert_into_cache, p=p)
    outcomes = store.map(
        hashed, key=key, work=work, load=load_outcome, label="convert", unit="note", engine=compute.items, died=lambda given: DIED
    )
    dates = {each.file: each.date for each in origins.read(args.notes)}
    accepted = account_for(list(zip(hashed, outcomes, strict=True)), account, dates)
    account.close(args.ledger)
    if not accepted:
        why = ", ".join(f"{count} {reason}" for reason, count in account.reasons.items()) or "the folder is empty"
        raise command.UserError(
            "{notes}: no usable voice note ({why})",
            "put voice notes there; {ledger} has a row for each file",
            notes=args.notes,
            why=why,
            ledger=args.ledger,
        )
    write(args.wav, accepted, {given.id: store.path(key(given)) for given in hashed}, args.notes)
    print(account.summary())
    folder.require_same()


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("notes", type=Path, help="folder of voice notes")
    parser.add_argument("wav", type=Path, help="folder to write")
    parser.add_argument("--ledger", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
