"""The dataset folder: portable LJSpeech that stock coqui-tts reads and of which its trainer drops nothing.

manifest.jsonl                              records.Example, one per clip
wavs/<id>.wav                               mono PCM16, 22 050 Hz
metadata_{train,eval,test}.csv              id|text|normalized, no header
metadata.csv                                all of them
consent.yaml                                the speaker's, when there is one
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from voz.data import consent
from voz.pipeline import files, records
from voz.pipeline.command import UserError


def write(folder: Path, examples: Iterable[records.Example], clips: Path) -> None:
    """Write the whole folder anew; wavs and consent come from `clips`.

    Raises:
        UserError: the consent record is damaged.
        ValueError: a text holds `|` or a line break, which LJSpeech cannot say.
    """
    ordered = sorted(examples, key=lambda example: example.id)
    wavs = files.fresh_folder(folder) / "wavs"
    wavs.mkdir()
    for example in ordered:
        files.copy(clips / f"{example.id}.wav", wavs / f"{example.id}.wav")
    for split in records.SPLITS:
        files.write_text(folder / f"metadata_{split}.csv", "".join(_line(e) for e in ordered if e.split == split))
    files.write_text(folder / "metadata.csv", "".join(_line(e) for e in ordered))
    consent.carry(clips, folder)
    records.write(folder, ordered)


def read(folder: Path, split: str | None = None) -> list[records.Example]:
    """The examples of a dataset, sorted by id, of one split where it is given.

    Raises:
        UserError: there is no dataset in the folder.
        BadRecord: a line of the manifest is damaged.
    """
    if not (folder / records.MANIFEST).is_file():
        raise UserError(f"{folder}: no dataset", "run `dvc repro curate`, or `dvc pull`")
    return [example for example in records.read(folder, records.Example) if split in (None, example.split)]


def wav(folder: Path, example: records.Example) -> Path:
    """The example's recording."""
    return folder / "wavs" / f"{example.id}.wav"


def split_notes(notes: Iterable[str], *, eval_share: float, test_share: float) -> dict[str, records.Split]:
    """Give each note a side by a hash of its id alone, so that a note more moves no other.

    A side that would be empty takes the note with the lowest hash of a side that can spare one.

    Raises:
        ValueError: fewer than three notes.
    """
    by_hash = sorted(set(notes), key=position)
    if len(by_hash) < len(records.SPLITS):
        raise ValueError(f"{len(by_hash)} notes: train, eval and test need one each")
    sides: dict[str, records.Split] = {}
    for note in by_hash:
        at = position(note)
        sides[note] = "test" if at < test_share else "eval" if at < test_share + eval_share else "train"
    side: records.Split
    for side in ("test", "eval", "train"):
        if side not in sides.values():
            held = list(sides.values())
            sides[next(note for note in by_hash if held.count(sides[note]) > 1)] = side
    return sides


def position(note: str) -> float:
    """A note's place in [0, 1), the same everywhere and forever."""
    return int.from_bytes(hashlib.sha256(f"split {note}".encode()).digest()[:6], "big") / 2**48


def _line(example: records.Example) -> str:
    for text in (example.text, example.normalized):
        if "|" in text or len(text.splitlines()) != 1:
            raise ValueError(f"{example.id}: {text!r} holds | or a line break, or nothing")
    return f"{example.id}|{example.text}|{example.normalized}\n"
