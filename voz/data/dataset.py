"""The dataset folder: portable LJSpeech that stock coqui-tts reads, every clip usable by its XTTS trainer.

manifest.jsonl                              records.Example, one per clip
wavs/<id>.wav                               mono PCM16, 22 050 Hz
metadata_{train,eval,test}.csv              id|text|normalized, no header
metadata.csv                                the three together
consent.yaml                                copied from the clips, if there is one
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from voz.data import consent
from voz.pipeline import files, records
from voz.pipeline.command import UserError


def write(folder: Path, examples: Iterable[records.Example], clips: Path) -> None:
    """Write the folder anew; wavs and consent are copied from the folder `clips`.

    Raises:
        UserError: the consent record is invalid.
        ValueError: a text is empty or holds `|` or a line break, which the LJSpeech format cannot represent.
    """
    ordered = sorted(examples, key=lambda example: example.id)
    with files.whole_folder(folder) as whole:
        (whole / "wavs").mkdir()
        for example in ordered:
            files.copy(clips / f"{example.id}.wav", whole / "wavs" / f"{example.id}.wav")
        for split in records.SPLITS:
            files.write_text(whole / f"metadata_{split}.csv", "".join(_line(e) for e in ordered if e.split == split))
        files.write_text(whole / "metadata.csv", "".join(_line(e) for e in ordered))
        consent.carry(clips, whole)
        records.write(whole, ordered)


def read(folder: Path, split: str | None = None) -> list[records.Example]:
    """The examples of a dataset, sorted by id; of one split if `split` is given.

    Raises:
        UserError: there is no dataset in the folder.
        BadRecord: a line of the manifest is invalid.
    """
    if not (folder / records.MANIFEST).is_file():
        raise UserError("{folder}: no dataset", "run `dvc repro curate`, or `dvc pull`", folder=folder)
    return [example for example in records.read(folder, records.Example) if split in (None, example.split)]


def wav(folder: Path, example: records.Example) -> Path:
    """Path of the example's recording."""
    return folder / "wavs" / f"{example.id}.wav"


def choose_lines(examples: Sequence[records.Example], count: int) -> list[records.Example]:
    """Clips spread over the notes: one of each note before a second of any, in an order by hash, which a new note does not change."""

    def rank(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()

    of_note: dict[str, list[records.Example]] = {}
    for example in sorted(examples, key=lambda e: rank(e.id)):
        of_note.setdefault(example.note, []).append(example)
    turns = [(turn, rank(note), clip) for note, clips in of_note.items() for turn, clip in enumerate(clips)]
    chosen = [clip for _, _, clip in sorted(turns, key=lambda t: t[:2])[:count]]
    return sorted(chosen, key=lambda e: e.id)


def split_notes(notes: Iterable[str], *, eval_share: float, test_share: float) -> dict[str, records.Split]:
    """Assign each note to a split by a hash of its id alone, so that a new note never moves another one.

    A split that would be empty gets the note with the lowest hash among the notes of splits that have more than one.

    Args:
        notes: note ids; repeated ids count once.
        eval_share, test_share: share of the notes for each split, 0 to 1; the rest is train.

    Raises:
        ValueError: there are fewer than three notes.
    """
    by_hash = sorted(set(notes), key=position)
    if len(by_hash) < len(records.SPLITS):
        raise ValueError(f"{len(by_hash)} notes: train, eval and test need one each")
    splits: dict[str, records.Split] = {}
    for note in by_hash:
        at = position(note)
        splits[note] = "test" if at < test_share else "eval" if at < test_share + eval_share else "train"
    split: records.Split
    for split in ("test", "eval", "train"):
        if split not in splits.values():
            assigned = list(splits.values())
            splits[next(note for note in by_hash if assigned.count(splits[note]) > 1)] = split
    return splits


def position(note: str) -> float:
    """A note's position in [0, 1): a hash of its id, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"split {note}".encode()).digest()[:6], "big") / 2**48


def _line(example: records.Example) -> str:
    for text in (example.text, example.normalized):
        if "|" in text or len(text.splitlines()) != 1:
            raise ValueError(f"{example.id}: {text!r} is empty, or holds | or a line break")
    return f"{example.id}|{example.text}|{example.normalized}\n"
