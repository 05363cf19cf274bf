"""What `make review` works on: the clips by doubt, what the stages left out, and the corrections file."""

import re
import shutil
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.review import doubt
from voz.data import corrections
from voz.data.corrections import Correction
from voz.pipeline import ledger, params, records
from voz.pipeline.command import UserError

# What convert left out and a browser may still play; the rest is no sound, longer than a browser should decode, or broke our own decoder.
PLAYABLE = ("damaged", "duplicate", "silent", "too_short", "truncated")
ACTIONS = {"save": "text saved", "accept": "accepted", "reject": "rejected"}  # a button, and what it has done then

RELOAD = "reload the page"

Sound = Path | tuple[int, np.ndarray]  # a file, or sample rate in Hz and int16 samples [T]


@dataclass(frozen=True)
class Folders:
    """Where everything lies."""

    clips: Path
    transcripts: Path
    wav: Path
    notes: Path
    ledger: Path
    corrections: Path
    copies: Path  # temporary, ours: what the browser may fetch


@dataclass(frozen=True)
class Left:
    """What a stage left out."""

    stage: str
    row: ledger.Row


class Desk:
    """Reads everything on `reload`; the corrections file, which others write too, at every question."""

    def __init__(self, folders: Folders) -> None:
        """Raises UserError where a folder is missing or a file is not what it should be."""
        self.folders = folders
        self.cases: dict[str, doubt.Case] = {}  # by clip id, the most doubtful first
        self.names: dict[str, str] = {}  # of notes, by note id
        self.left: list[Left] = []  # by stage and reason
        self.totals: dict[str, tuple[int, int, int]] = {}  # by stage: inputs, accepted items, rejected items
        if not folders.corrections.exists():
            corrections.write(folders.corrections, [])
        self.decisions()
        self.reload()

    def decisions(self) -> dict[str, Correction]:
        """What the corrections file holds now."""
        return corrections.read(self.folders.corrections)

    def reload(self) -> list[str]:
        """Read the stages' outputs again; the ids of the clips as a person should hear them: undecided first, then by doubt."""
        ledgers = {stage: self._ledger(stage) for stage in ledger.STAGES}
        clips, heard = _manifest(self.folders.clips, records.Clip), _manifest(self.folders.transcripts, records.Transcript)
        ordered = doubt.cases(clips, heard, ledgers["curate"], params.read().get("curate", {}))
        self.cases = {case.clip.id: case for case in ordered}
        self.names = {note.id: note.name for note in _manifest(self.folders.wav, records.Note)}
        self.left, self.totals = [], {}
        for stage, rows in ledgers.items():
            rejected = [row for row in rows if row.outcome == ledger.REJECTED]
            self.left += [Left(stage, row) for row in sorted(rejected, key=lambda row: (row.reason, row))]
            self.totals[stage] = (len({row.input for row in rows}), len(rows) - len(rejected), len(rejected))
        return [case.clip.id for case in doubt.undecided_first(ordered, self.decisions())]

    def text(self, clip: str) -> str:
        """A clip's words as the next curate would read them.

        Raises:
            UserError: another page was opened since, and the clip was no longer there.
        """
        if clip not in self.cases:
            raise UserError(f"{clip}: no such clip any more", RELOAD)
        return self.cases[clip].text(self.decisions().get(clip))

    def decide(self, clip: str, action: str, text: str) -> str:
        """Write down what a person decided (a key of ACTIONS, with the text as it stands on the page) and say what it was.

        Raises:
            UserError: there are no words to accept.
        """
        before, words = self.decisions().get(clip), clean(text)
        kept = before.text if before else ""
        if words != self.text(clip) or action == "save":
            kept = words
        if action != "reject" and not words:
            raise UserError("the clip has no words", "write them, or reject it")
        corrections.decide(self.folders.corrections, clip, Correction(clip, action != "reject", kept))
        return ACTIONS[action]

    def withdraw(self, clip: str) -> bool:
        """Take a clip's decision back; False if there was none."""
        if clip not in self.decisions():
            return False
        corrections.decide(self.folders.corrections, clip, None)
        return True

    def find(self, order: list[str], after: str, words: str) -> str | None:
        """The next clip of `order` whose id, note or text holds `words`; past the end it goes on at the top."""
        decided, wanted = self.decisions(), words.casefold().strip()
        start = order.index(after) + 1
        for clip in order[start:] + order[:start]:
            case = self.cases[clip]
            if wanted and wanted in f"{clip} {self.names.get(case.clip.note, '')} {case.text(decided.get(clip))}".casefold():
                return clip
        return None

    def clip_sound(self, clip: str) -> Path | None:
        """A copy of a clip's wav; None where dvc has taken the file away meanwhile."""
        path = self.folders.clips / f"{clip}.wav"
        return self._copy(path, path.name) if path.is_file() else None

    def left_sound(self, left: Left) -> Sound | None:
        """The sound of what was left out: a clip, a stretch of a note, or what the phone wrote; None where there is nothing to play."""
        row = left.row
        if left.stage == "convert":
            return self._note(row.name) if row.reason in PLAYABLE else None
        if row.input in self.cases:
            return self.clip_sound(row.input)
        path = self.folders.wav / f"{row.input}.wav"
        return stretch(path, float(row.start_s or 0), float(row.end_s) if row.end_s else None) if path.is_file() else None

    def _note(self, name: str) -> Path | None:
        """A copy of a file of the notes folder; None where the name leads out of it."""
        folder = self.folders.notes.resolve()
        path = (folder / name).resolve()
        if not (path.is_relative_to(folder) and path.is_file()):
            return None
        suffix = path.suffix.lower() if re.fullmatch(r"\.[a-z0-9]{1,4}", path.suffix.lower()) else ""
        return self._copy(path, f"note{suffix}")

    def _copy(self, path: Path, name: str) -> Path:
        """What the browser may fetch lies in our own folder, under a name of ours: DVC may have linked the file to anywhere."""
        copy = self.folders.copies / name
        shutil.copyfile(path, copy)
        return copy

    def _ledger(self, stage: str) -> list[ledger.Row]:
        path = self.folders.ledger / f"{stage}.csv"
        return ledger.read(path) if path.is_file() else []


def clean(text: str) -> str:
    """One line without control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def stretch(path: Path, start_s: float, end_s: float | None) -> tuple[int, np.ndarray]:
    """A part of a mono PCM16 wav: its sample rate in Hz and int16 [T]."""
    with wave.open(str(path), "rb") as file:
        rate_hz, length = file.getframerate(), file.getnframes()
        first = min(round(start_s * rate_hz), length)
        last = length if end_s is None else min(round(end_s * rate_hz), length)
        file.setpos(first)
        return rate_hz, np.frombuffer(file.readframes(max(last - first, 0)), dtype="<i2")


def _manifest(folder: Path, cls: type[records.R]) -> list[records.R]:
    try:
        return records.read(folder, cls)
    except FileNotFoundError as error:
        raise UserError(f"{folder}: missing", "run `dvc repro` first, and let it finish") from error
