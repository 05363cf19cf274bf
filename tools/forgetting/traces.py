"""Find what voice notes left behind: in the workspace, in the cache, in a DVC store. `forget.py` does the removing.

A file is a trace of a note if its name or text contains the note's id, if it is a copy of a file that is a trace, if it
was made from one (an entry of the cache stores the hashes of what it was made from), or if it contains a sentence that was
said in the note. A file of the pipeline is one, too, if it contains the note's file name.
"""

import csv
import functools
import io
import mmap
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from tools.forgetting.trail import HEX, MAX_BYTES, Trail, parsed_json, read_text
from voz.audio import sniff, wav
from voz.data import notes
from voz.pipeline import cache_folders, files, parallel
from voz.pipeline.language import tr
from voz.pipeline.records import ID_DIGITS

TRAINING = "train"  # the cache's folder of checkpoints, which are made from all notes together
VOICES = "voices"  # the cache's folder of voices of earlier commits (`make speak REV=…`)
_WEIGHTS, _REFERENCE = {"model.pth", "adapter.pth"}, "reference.wav"  # a folder in DVC's store that has one of these and this is a voice
_TABLES = (".jsonl", ".csv")
_CODECS = (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS"))  # that `voz.audio.encode` writes
_SPOKEN = {(container, codec, 1, wav.OUTPUT_RATE_HZ) for container, codec in _CODECS}

_HASHES = re.compile(rb"(?=([0-9a-f]{12,32}))")  # at every byte: a database writes them without anything between

Listing = list[dict[str, str]]  # how DVC stores a folder: [{"md5": ..., "relpath": ...}, ...]


@dataclass
class Removal:
    """What to change in the workspace: files to remove, and tables to rewrite, each with its remaining text.

    Attributes:
        links: what DVC made a link into its cache (`cache.type symlink`), whether it is to be changed or not.
    """

    files: set[Path] = field(default_factory=set)
    tables: dict[Path, str] = field(default_factory=dict)
    links: set[Path] = field(default_factory=set)


def in_workspace(roots: Iterable[Path], trail: Trail, *, loose: Iterable[Path] = ()) -> Removal:
    """Search files and folders, and extend the trail.

    If a JSON file is a trace, all files of its folder are removed: they were made together with it.

    Args:
        roots: what the pipeline reads and writes.
        loose: other files, which may be a person's own: only those are removed that are traces themselves.
    """
    cached = functools.cache(notes.dvc_cache)
    candidates = [path for root in roots for path in sorted([root, *root.rglob("*")]) if _is_ours(path, cached)]
    together = set(candidates)
    candidates += [path for path in loose if path not in together and _is_ours(path, cached)]
    links = {path for path in candidates if path.is_symlink()}
    candidates = [path for path in candidates if path.stat().st_size <= MAX_BYTES]
    progress = parallel.progress(candidates, total=len(candidates), label="search outputs", unit="file")
    hashes = {path: files.hash_file(path) for path in progress}
    removal = Removal({path for path in candidates if trail.is_named_in(path.name) or hashes[path][:ID_DIGITS] in trail.ids}, links=links)
    for path in sorted(removal.files):
        trail.add_file(path)
    texts = {path: data for path in candidates if path not in removal.files and (data := read_text(path)) is not None}
    for data in texts.values():
        trail.learn_from_manifest(data)
    removal.files |= {path for path in candidates if hashes[path] in trail.hashes}
    for path, data in texts.items():
        if path in removal.files:
            continue
        if path.suffix in _TABLES:
            remaining = without_rows(data.decode("utf-8"), path.suffix, trail)
            if remaining.encode() != data:
                removal.tables[path] = remaining
        elif trail.occurs_in(data):
            removal.files.add(path)
            if path.suffix == ".json" and path in together:
                removal.files |= {other for other in together if path.parent in other.parents}
        elif path in together and trail.tells_a_name(data):
            removal.files.add(path)
    removal.tables = {path: text for path, text in removal.tables.items() if path not in removal.files}
    return removal


def _is_ours(path: Path, cached: Callable[[], Path | None]) -> bool:
    """True for a regular file, and for a link that DVC made instead of one; what it leads to is the file itself then."""
    return path.is_file() and (not path.is_symlink() or notes.target_in_cache(path, cached) is not None)


def without_rows(text: str, suffix: str, trail: Trail) -> str:
    """A manifest or table without the rows of the notes."""
    lines = text.split("\n")
    if suffix == ".jsonl" or "|" in lines[0]:  # coqui's metadata.csv: one line per row, never quoted
        return "\n".join(line for line in lines if not trail.is_named_in(line))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [row for row in rows if not (trail.is_named_in(" ".join(row)) or trail.names.intersection(row))]
    return text if len(kept) == len(rows) else files.csv_text(kept)


def in_cache(root: Path, trail: Trail, *, weights: bool) -> set[Path]:
    """Search the cache, and extend the trail.

    Args:
        weights: the trained weights are to be forgotten too.

    Returns:
        Entries that were made from the notes, directly or through other entries; entries that hold a file that was (the voice of
        an earlier commit, whose reference is a clip); entries that do not say what they were made from; all checkpoints, if the
        notes were trained on, and all voices, if the weights are to be forgotten; the temporary folders of interrupted commands.
        (A command that runs removes its own when it ends.)
    """
    entries = {path: _label(path) for path in sorted(root.glob("*/??/*")) if path.is_dir() and path.parts[-3] != TRAINING}
    entries = {path: label for path, label in entries.items() if not path.name.startswith(cache_folders.TEMPORARY)}
    found = {path for path, label in entries.items() if label is None}
    found |= {path for parent in [root, *root.glob("*/??")] for path in cache_folders.abandoned(parent)}
    searching = True
    while searching:  # a file of an entry found in one round can be named in the label of another
        searching = False
        for path, label in entries.items():
            if path not in found and (trail.is_named_in(label or "") or _has_named_file(path, trail)):
                found.add(path)
                searching = True
                _add_entry(path, trail)
    remaining = [path for path in entries if path not in found]
    for path in parallel.progress(remaining, total=len(remaining), label="search the cache", unit="entry"):
        if any(trail.holds(file) for file in sorted(path.rglob("*")) if file.is_file() and file.name != cache_folders.LABEL):
            found.add(path)
    together = [TRAINING] * trail.trained + [VOICES] * weights
    return found | {path for name in together for path in root.glob(f"{name}/*") if path.is_dir()}


def spoken(paths: Iterable[Path]) -> set[Path]:
    """Those of the files that a voice of this project spoke, by the forms that `make speak` writes: mono at 24 000 Hz, see `encode`."""
    cached = functools.cache(notes.dvc_cache)
    return {path for path in paths if _is_ours(path, cached) and _form(path) in _SPOKEN}


def _form(path: Path) -> tuple[str, str, int, int] | None:
    """Container, codec, channels and rate in Hz of an audio file; None for other files."""
    if sniff.sniff(_head(path)) is None:
        return None
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:  # without a name that misleads
            info = soundfile.info(data)
    except (soundfile.LibsndfileError, OSError):
        return None
    return info.format, info.subtype, info.channels, info.samplerate


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(sniff.HEAD_BYTES)


def in_store(folder: Path, trail: Trail, *, protected: set[str], weights: bool) -> set[Path]:
    """Search a DVC store (`files/md5`, or the folder above it, where DVC 2 stored its objects), and extend the trail.

    Args:
        protected: MD5s of files that are never traces, whatever they contain: the base models.
        weights: every version of the voice is a trace too.

    Returns:
        The objects that are traces, of every version, and the listings that name one.
    """
    objects = {path.parent.name + path.name: path for path in sorted(folder.glob("??/*")) if path.is_file()}
    listings: dict[str, Listing] = {oid: parsed_json(path.read_bytes()) for oid, path in objects.items() if oid.endswith(".dir")}
    contents = {oid: path for oid, path in objects.items() if oid not in listings and oid not in protected}
    texts = _add_recordings(contents, trail, label=tr("search {folder}", folder=folder))
    for listing in listings.values():
        trail.md5s |= {entry["md5"] for entry in listing if trail.is_named_in(entry["relpath"])}
        paths = {entry["relpath"] for entry in listing}
        if weights and _REFERENCE in paths and paths & _WEIGHTS:
            trail.md5s |= {entry["md5"] for entry in listing}
    trail.md5s -= protected
    _follow_texts(texts, listings.values(), trail, protected)
    telling = trail.telling_names
    trail.md5s |= {oid for oid, path in texts.items() if telling and oid not in trail.md5s and trail.tells_a_name(path.read_bytes())}
    naming = {
        oid for oid, listing in listings.items() if any(entry["md5"] in trail.md5s or entry["relpath"] in telling for entry in listing)
    }
    return {objects[oid] for oid in (trail.md5s | naming) if oid in objects}


def in_indexes(folder: Path, trail: Trail) -> set[Path]:
    """DVC's own indexes, one for each checkout and each copy that `dvc exp run --temp` made, that hold an id or MD5 of the trail.

    They are databases of the names and hashes of every file that DVC saw there; DVC builds them again.
    """
    sought = {each.encode() for each in trail.ids | trail.md5s}
    found = set()
    for index in sorted(folder.glob("*")):
        for path in sorted(path for path in index.rglob("*") if path.is_file()):
            data = path.read_bytes()
            hashes = {match[1][:size] for match in _HASHES.finditer(data) for size in (ID_DIGITS, 32)}
            if not sought.isdisjoint(hashes | {oid + b".dir" for oid in hashes}):
                found.add(index)
                break
    return found


def ids_in_store(folder: Path) -> set[str]:
    """The ids in all file names that a listing of a DVC store has: those of every note that DVC ever tracked."""
    names = [entry["relpath"] for path in sorted(folder.glob("??/*.dir")) for entry in parsed_json(path.read_bytes())]
    return {token.decode() for name in names for token in HEX.findall(name.encode()) if len(token) == ID_DIGITS}


def _add_recordings(objects: dict[str, Path], trail: Trail, *, label: str) -> dict[str, Path]:
    """Add the objects that are the notes themselves to the trail; return the objects that are text."""
    texts = {}
    for oid, path in parallel.progress(objects.items(), total=len(objects), label=label, unit="object"):
        if not 0 < path.stat().st_size <= MAX_BYTES:
            continue
        if read_text(path) is not None:
            texts[oid] = path
        elif notes.id_of(path) in trail.ids:
            trail.md5s.add(oid)
    return texts


def _follow_texts(texts: dict[str, Path], listings: Iterable[Listing], trail: Trail, protected: set[str]) -> None:
    """Add the texts that are traces to the trail, and what lies beside them, until a round finds nothing new.

    Each round reads the files again: all versions of all manifests together might not fit into memory.
    """
    listings = list(listings)
    before: tuple[int, int] | None = None
    while before != trail.size:
        before = trail.size
        for oid, path in texts.items():
            if oid not in trail.md5s and trail.occurs_in(data := path.read_bytes()):
                trail.md5s.add(oid)
                trail.learn_from_manifest(data)
        for listing in listings:
            trail.md5s |= _beside_json(listing, trail.md5s)
        trail.md5s -= protected


def _beside_json(listing: Listing, md5s: set[str]) -> set[str]:
    """MD5s of all files that lie in the folder of a JSON file, or below it, if that JSON file is among `md5s`."""
    folders = [entry["relpath"].rpartition("/")[0] for entry in listing if entry["relpath"].endswith(".json") and entry["md5"] in md5s]
    return {entry["md5"] for entry in listing for folder in folders if not folder or entry["relpath"].startswith(f"{folder}/")}


def _label(entry: Path) -> str | None:
    """The label of an entry of the cache: what the entry was made from. None if it has none."""
    path = entry / cache_folders.LABEL
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _has_named_file(entry: Path, trail: Trail) -> bool:
    return any(trail.is_named_in(path.name) for path in entry.rglob("*"))


def _add_entry(entry: Path, trail: Trail) -> None:
    """Add the files of an entry that was made from the notes, and the words in its JSON files, to the trail."""
    for path in sorted(entry.rglob("*")):
        if path.is_file() and path.name != cache_folders.LABEL:
            trail.add_file(path)
            data = read_text(path)
            if data is not None and path.suffix == ".json":
                trail.learn_from_json(data)
