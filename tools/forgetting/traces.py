"""Find what a note left: in the workspace, in the scratch, in a DVC store. Finds only; `forget.py` removes.

A trace is known by the note's id in its name or text, by being a byte-wise copy of a file that is one, by having been
made of one (the scratch remembers of what), or by holding the note's words.
"""

import csv
import hashlib
import html
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voz.pipeline import cache, files, parallel

MAX_BYTES = 512 * 2**20  # larger files are weights: not searched, only recognised by name
MIN_WORDS = 3  # shorter sentences are anybody's
ID_DIGITS = 12
TRAINING = "train"  # the scratch of checkpoints, which come of all notes together
_HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{12,64}(?![0-9a-f])")
_WORDY = ("text", "normalized", "heard")  # fields of records that hold words begin so
_TABLES = (".jsonl", ".csv")


@dataclass
class Trail:
    """What is known of the notes so far. Grows while it is followed.

    Attributes:
        ids: of the notes, 12 hex digits.
        names: of their files in the notes folder.
        hashes: SHA-256 of files that are theirs alone.
        md5s: the same files as DVC names them.
        words: sentences that were said in them.
        trained: a dataset had them in its train or eval split.
    """

    ids: set[str]
    names: set[str] = field(default_factory=set)
    hashes: set[str] = field(default_factory=set)
    md5s: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    trained: bool = False

    def follow(self, path: Path) -> None:
        """`path` is theirs alone: so is every copy of it, and what was made of it."""
        data = path.read_bytes()
        if not data:  # every empty file is a copy of every other
            return
        self.hashes.add(hashlib.sha256(data).hexdigest())
        self.md5s.add(hashlib.md5(data, usedforsecurity=False).hexdigest())

    def named_in(self, text: str | bytes) -> bool:
        """True if an id of theirs, or the hash of a file of theirs, stands in `text`. (A note's own hash begins with its id.)"""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        found = {token.decode() for token in _HEX.findall(data)}
        return not found.isdisjoint(self.hashes) or any(token[:ID_DIGITS] in self.ids for token in found)

    def spoken_in(self, data: bytes) -> bool:
        """True if `data` names them or holds a sentence of theirs, as plain text, JSON or HTML."""
        return self.named_in(data) or any(form in data for words in self.words for form in _forms(words))

    def learn(self, data: bytes) -> None:
        """Take up the words from those lines of a manifest that name them, and whether they were trained with."""
        for line in data.splitlines():
            if line.startswith(b"{") and self.named_in(line):
                self._learn_record(_json(line))

    def learn_all(self, data: bytes) -> None:
        """Take up the words from a JSON file that is theirs alone."""
        self._learn_record(_json(data))

    def _learn_record(self, record: Any) -> None:
        if not isinstance(record, dict):
            return
        self.trained |= record.get("split") in ("train", "eval")
        for key, value in record.items():
            if key.startswith(_WORDY) and isinstance(value, str) and len(value.split()) >= MIN_WORDS:
                self.words.add(value)


@dataclass
class Found:
    """Files to remove, and tables to rewrite with the text that remains."""

    files: set[Path] = field(default_factory=set)
    tables: dict[Path, str] = field(default_factory=dict)


def in_workspace(roots: Iterable[Path], trail: Trail) -> Found:
    """Search files and folders. A JSON file that names the notes speaks for its folder: what lies there was made with them."""
    paths = [path for root in roots for path in sorted([root, *root.rglob("*")]) if path.is_file() and not path.is_symlink()]
    paths = [path for path in paths if path.stat().st_size <= MAX_BYTES]
    hashes = {path: files.hash_file(path) for path in parallel.progress(paths, total=len(paths), label="search outputs", unit="file")}
    found = Found({path for path in paths if trail.named_in(path.name) or hashes[path][:12] in trail.ids})
    for path in sorted(found.files):
        trail.follow(path)
    texts = {path: data for path in paths if path not in found.files and (data := _text(path)) is not None}
    for data in texts.values():
        trail.learn(data)
    for path in paths:
        if path in found.files or hashes[path] in trail.hashes:
            found.files.add(path)
        elif path.suffix in _TABLES and path in texts:
            remaining = without(texts[path].decode("utf-8"), path.suffix, trail)
            if remaining.encode() != texts[path]:
                found.tables[path] = remaining
        elif path in texts and trail.spoken_in(texts[path]):
            found.files.add(path)
            if path.suffix == ".json":
                found.files |= {each for each in paths if path.parent in each.parents}
    found.tables = {path: text for path, text in found.tables.items() if path not in found.files}
    return found


def without(text: str, suffix: str, trail: Trail) -> str:
    """A manifest or table without the rows of the notes."""
    lines = text.split("\n")
    if suffix == ".jsonl" or "|" in lines[0]:  # coqui's metadata: one line a row, never quoted
        return "\n".join(line for line in lines if not trail.named_in(line))
    rows = list(csv.reader(io.StringIO(text, newline="")))
    kept = [row for row in rows if not (trail.named_in(" ".join(row)) or trail.names.intersection(row))]
    if len(kept) == len(rows):
        return text
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(kept)
    return out.getvalue()


def in_scratch(root: Path, trail: Trail) -> set[Path]:
    """Entries of the scratch that were made of the notes, of something that was, and so on; entries that do not say of what;
    checkpoints, if the notes were trained with; whatever an interrupted command left."""
    entries = {path: _made_of(path) for path in sorted(root.glob("*/??/*")) if path.is_dir() and path.parts[-3] != TRAINING}
    found = {path for path, parts in entries.items() if parts is None} | set(root.glob("*/??/.tmp-*")) | set(root.glob("import-*"))
    grown = True
    while grown:
        grown = False
        for path, parts in entries.items():
            if path not in found and (trail.named_in(parts or "") or _holds(path, trail)):
                found.add(path)
                grown = True
                _follow_entry(path, trail)
    return found | ({path for path in root.glob(f"{TRAINING}/*") if path.is_dir()} if trail.trained else set())


def in_store(folder: Path, trail: Trail, *, protected: set[str]) -> set[Path]:
    """Objects of a DVC store (`files/md5`): the notes' sound and words in every version, and the listings that name them.

    Args:
        protected: MD5s that are not theirs whatever holds them (the base).
    """
    objects = {path.parent.name + path.name: path for path in sorted(folder.glob("??/*")) if path.is_file()}
    listings = {oid: _json(path.read_bytes()) for oid, path in objects.items() if oid.endswith(".dir")}
    texts = []
    for oid, path in parallel.progress(objects.items(), total=len(objects), label=f"search {folder}", unit="object"):
        if oid in listings or oid in protected or not 0 < path.stat().st_size <= MAX_BYTES:
            continue
        if _text(path) is not None:
            texts.append(oid)
        elif files.hash_file(path)[:ID_DIGITS] in trail.ids:
            trail.md5s.add(oid)
    for listing in listings.values():
        trail.md5s |= {each["md5"] for each in listing if trail.named_in(each["relpath"])}
    known = (-1, -1)
    while known != (len(trail.md5s), len(trail.words)):
        known = (len(trail.md5s), len(trail.words))
        for oid in texts:  # read again in each round: all versions of all manifests need not fit into memory
            if oid not in trail.md5s and trail.spoken_in(data := objects[oid].read_bytes()):
                trail.md5s.add(oid)
                trail.learn(data)
        for listing in listings.values():
            trail.md5s |= _beside_json(listing, trail.md5s)
        trail.md5s -= protected
    named = {oid for oid, listing in listings.items() if any(each["md5"] in trail.md5s for each in listing)}
    return {objects[oid] for oid in (trail.md5s | named) if oid in objects}


def ids_in_store(folder: Path) -> set[str]:
    """Ids of every note that a listing in a DVC store ever named, clips and wavs included."""
    listed = [each["relpath"] for path in sorted(folder.glob("??/*.dir")) for each in _json(path.read_bytes())]
    return {token.decode() for name in listed for token in _HEX.findall(name.encode()) if len(token) == ID_DIGITS}


def _beside_json(listing: list[dict[str, str]], md5s: set[str]) -> set[str]:
    folders = [each["relpath"].rpartition("/")[0] for each in listing if each["relpath"].endswith(".json") and each["md5"] in md5s]
    return {each["md5"] for each in listing for folder in folders if not folder or each["relpath"].startswith(f"{folder}/")}


def _made_of(entry: Path) -> str | None:
    path = entry / cache.LABEL
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _holds(entry: Path, trail: Trail) -> bool:
    return any(trail.named_in(path.name) for path in entry.rglob("*"))


def _follow_entry(entry: Path, trail: Trail) -> None:
    for path in sorted(entry.rglob("*")):
        if path.is_file() and path.name != cache.LABEL:
            trail.follow(path)
            data = _text(path)
            if data is not None and path.suffix == ".json":
                trail.learn_all(data)


def _text(path: Path) -> bytes | None:
    """The bytes of a text file; None for anything else."""
    with open(path, "rb") as file:
        if b"\0" in file.read(8192):
            return None
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return data


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return []


def _forms(words: str) -> set[bytes]:
    return {words.encode(), json.dumps(words)[1:-1].encode(), html.escape(words).encode()}
