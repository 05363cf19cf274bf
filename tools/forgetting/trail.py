"""What identifies the traces of notes: ids, names, hashes and sentences. It grows while `traces.py` searches."""

import functools
import hashlib
import html
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import markupsafe
from jinja2.utils import htmlsafe_json_dumps

from voz.pipeline.records import ID_DIGITS

MAX_BYTES = 512 * 2**20  # larger files are model weights: their content is not searched
MIN_WORDS = 3  # a shorter sentence could be anybody's
MIN_NAME = 8  # characters; a shorter name of a file (`nota 1`) too
HEX = re.compile(rb"(?<![0-9a-f])[0-9a-f]{12,64}(?![0-9a-f])")
_WORD_FIELDS = ("text", "normalized", "heard")  # the names of record fields that hold words start with these


@dataclass
class Trail:
    """What identifies the traces of the notes. It grows during the search: each trace that is found can lead to more.

    Attributes:
        ids: the ids of the notes, 12 hex digits.
        names: the names of their files in the notes folder.
        hashes: SHA-256 of the files that were made from these notes alone.
        md5s: MD5 of the same files, which is how DVC names them.
        words: sentences that were said in the notes.
        sounds: SHA-256 of their decoded samples, as far as notes.csv has it.
        trained: True if a dataset had a clip of the notes in its train or eval split.
    """

    ids: set[str]
    names: set[str] = field(default_factory=set)
    hashes: set[str] = field(default_factory=set)
    md5s: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    sounds: set[str] = field(default_factory=set)
    trained: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """How much the search of a store adds to; if it has not changed, the same store has no more to show."""
        return len(self.md5s), len(self.words)

    def add_file(self, path: Path) -> None:
        """Add a file that was made from these notes alone, so that its copies and what was made from it are found too."""
        data = path.read_bytes()
        if not data:  # an empty file identifies nothing: every other empty file has the same hash
            return
        self.hashes.add(hashlib.sha256(data).hexdigest())
        self.md5s.add(hashlib.md5(data, usedforsecurity=False).hexdigest())

    def holds(self, path: Path) -> bool:
        """True if the file is one that was made from these notes, or is text that names them or holds a sentence of theirs."""
        if path.stat().st_size > MAX_BYTES:
            return False
        text = read_text(path)
        if text is not None:
            return self.occurs_in(text)
        data = path.read_bytes()
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        sha256 = hashlib.sha256(data).hexdigest()
        return md5 in self.md5s or sha256 in self.hashes or sha256[:ID_DIGITS] in self.ids

    def is_named_in(self, text: str | bytes) -> bool:
        """True if `text` contains an id of the notes, or the SHA-256 of one of their files. (A note's own SHA-256 starts with its id.)"""
        data = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        tokens = {token.decode() for token in HEX.findall(data)}
        return not tokens.isdisjoint(self.hashes) or any(token[:ID_DIGITS] in self.ids for token in tokens)

    def occurs_in(self, data: bytes) -> bool:
        """True if `data` names the notes, or contains a sentence of theirs as plain text, JSON or HTML."""
        return self.is_named_in(data) or any(form in data for words in self.words for form in _encodings(words))

    @property
    def telling_names(self) -> set[str]:
        """Names that are long enough to be looked for in texts."""
        return {name for name in self.names if len(Path(name).stem) >= MIN_NAME}

    def tells_a_name(self, data: bytes) -> bool:
        """True if `data` has the name of a note's file, as plain text, CSV, JSON or HTML: a rejected note is listed by its name alone."""
        written = (name for name in self.telling_names if any(form in data for form in _encodings(name)))
        return any(_name(name).search(data) for name in written)

    def learn_from_manifest(self, data: bytes) -> None:
        """Learn, from the lines of a JSONL file that name the notes, what was said in them and whether they were trained on."""
        for line in data.splitlines():
            if line.startswith(b"{") and self.is_named_in(line):
                self._learn_record(parsed_json(line))

    def learn_from_json(self, data: bytes) -> None:
        """The same from a JSON file that was made from these notes alone, and so does not have to name them."""
        self._learn_record(parsed_json(data))

    def _learn_record(self, record: Any) -> None:
        if not isinstance(record, dict):
            return
        self.trained |= record.get("split") in ("train", "eval")
        for key, value in record.items():
            if key.startswith(_WORD_FIELDS) and isinstance(value, str) and len(value.split()) >= MIN_WORDS:
                self.words.add(value)


def read_text(path: Path) -> bytes | None:
    """The bytes of a file if they are UTF-8 text without NUL in the first 8 KiB; else None."""
    with open(path, "rb") as file:
        if b"\0" in file.read(8192):
            return None
    data = path.read_bytes()
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return data


def parsed_json(data: bytes) -> Any:
    """The value of a JSON text; an empty list if it is not JSON."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return []


@functools.cache  # asked again for every file
def _encodings(words: str) -> frozenset[bytes]:
    """How a sentence or name can be written: plain, in a CSV, as a JSON string, in HTML by Python or Jinja, as JSON in HTML."""
    strings = [json.dumps(words), json.dumps(words, ensure_ascii=False), str(htmlsafe_json_dumps(words))]
    forms = [words, words.replace('"', '""'), *(string[1:-1] for string in strings), html.escape(words), str(markupsafe.escape(words))]
    return frozenset(form.encode() for form in forms)


@functools.cache
def _name(name: str) -> re.Pattern[bytes]:
    """Finds a file's name that is not a part of a longer one."""
    forms = b"|".join(re.escape(form) for form in sorted(_encodings(name)))
    return re.compile(rb"(?<![\w\x80-\xff.-])(?:" + forms + rb")(?![\w\x80-\xff])")
