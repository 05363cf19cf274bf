"""What the review page shows and changes: the clips by doubt, what the stages rejected, and the corrections file."""

import re
import shutil
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tools.review import doubt
from voz.data import corrections, phone_transcripts
from voz.data.corrections import Correction
from voz.pipeline import files, ledger, params, records
from voz.pipeline.command import UserError
from voz.pipeline.language import later, tr

# Files rejected by convert that a browser may still play. The others hold no sound, are too long, or crashed the decoder.
PLAYABLE = ("damaged", "duplicate", "silent", "too_short", "truncated")
ACTIONS = {
    "save": later("text saved"),
    "accept": later("accepted"),
    "reject": later("rejected"),
}  # by button: what the page says afterwards

Sound = Path | tuple[int, np.ndarray]  # a file, or sample rate in Hz and int16 [T]


@dataclass(frozen=True)
class Folders:
    """The paths that the page reads and writes."""

    clips: Path
    transcripts: Path
    wav: Path
    notes: Path
    ledger: Path
    corrections: Path
    copies: Path  # temporary: the only folder from which the browser may fetch sounds


@dataclass(frozen=True)
class Rejected:
    """A row of a stage's ledger for something that the stage rejected."""

    stage: str
    row: ledger.Row


class Backend:
    """Reads the stages' outputs on `reload`, and the corrections file, which others write too, before each use."""

    def __init__(self, folders: Folders) -> None:
        """Raises UserError if a folder is missing, a file is invalid, or DVC has a corrections file that is not checked out."""
        self.folders = folders
        self.cases: dict[str, doubt.Case] = {}  # by clip id, the most doubtful first
        self.names: dict[str, str] = {}  # file names of the notes, by note id
        self.hints: dict[str, str] = {}  # what the phone transcribed, by note id
        self.rejected: list[Rejected] = []  # by stage and reason
        self.totals: dict[str, tuple[int, int, int]] = {}  # by stage: inputs, accepted items, rejected items
        if not (folders.corrections.exists() or files.dvc_pointer(folders.corrections).is_file()):
            corrections.write(folders.corrections, [])
        self.decisions()
        self.reload()

    def decisions(self) -> dict[str, Correction]:
        """What the corrections file holds now, by clip id."""
        return corrections.read(self.folders.corrections)

    def reload(self) -> list[str]:
        """Read the stages' outputs again and return the clip ids in the order of the page: undecided first, then by doubt."""
        ledgers = {stage: self._ledger(stage) for stage in ledger.STAGES}
        clips, transcripts = records.read(self.folders.clips, records.Clip), records.read(self.folders.transcripts, records.Transcript)
        ordered = doubt.cases(clips, transcripts, ledgers["curate"], params.read().get("curate", {}))
        self.cases = {case.clip.id: case for case in ordered}
        self.names = {note.id: note.name for note in records.read(self.folders.wav, records.Note)}
        self.hints = phone_transcripts.read(self.folders.notes)
        self.rejected, self.totals = [], {}
        for stage, rows in ledgers.items():
            rejected = [row for row in rows if row.outcome == ledger.REJECTED]
            self.rejected += [Rejected(stage, row) for row in sorted(rejected, key=lambda row: (row.reason, row))]
            self.totals[stage] = (len({row.input for row in rows}), len(rows) - len(rejected), len(rejected))
        return [case.clip.id for case in doubt.undecided_first(ordered, self.decisions())]

    def text(self, clip: str) -> str:
        """A clip's text as the next curate would read it.

        Raises:
            UserError: the clip no longer exists (the stages ran, and another page was opened since).
        """
        return self._case(clip).text(self.decisions().get(clip))

    def decide(self, clip: str, action: str, *, text: str, shown: str) -> str:
        """Write a decision into the corrections file and return what was done, for the page.

        Args:
            action: a key of ACTIONS.
            text: the text as it is on the page now; `accept` and `reject` save it too if the person has changed it.
            shown: the text that the page put there. The file's may be another by now: somebody else has corrected it.

        Raises:
            UserError: the clip no longer exists, or its text is empty and it is not rejected, or it would replace words that
                the page has not shown.
        """
        case, text, shown = self._case(clip), one_line(text), one_line(shown)
        write = action == "save" or text != shown

        def revise(before: Correction | None) -> Correction:
            now = one_line(case.text(before))
            if write and now not in (shown, text):
                raise UserError("changed meanwhile: “{now}”", "nothing was saved; U shows these words, to write into them", now=now)
            if action != "reject" and not (text if write else now):
                raise UserError("the clip has no words", "write them, or reject it")
            return Correction(clip, action != "reject", text if write else before.text if before else "")

        corrections.decide(self.folders.corrections, clip, revise)
        return tr(ACTIONS[action])

    def withdraw(self, clip: str) -> bool:
        """Delete a clip's decision; False if it has none."""
        if clip not in self.decisions():
            return False
        corrections.decide(self.folders.corrections, clip, lambda _: None)
        return True

    def find(self, order: list[str], after: str, words: str) -> str | None:
        """The next clip of `order` whose id, note or text contains `words`; after the last one the search goes on at the first."""
        decisions, wanted = self.decisions(), words.casefold().strip()
        start = order.index(after) + 1
        for clip in order[start:] + order[:start]:
            case = self.cases[clip]
            if wanted and wanted in f"{clip} {self.names.get(case.clip.note, '')} {case.text(decisions.get(clip))}".casefold():
                return clip
        return None

    def clip_sound(self, clip: str) -> Path | None:
        """A copy of a clip's wav; None if it no longer exists."""
        path = self.folders.clips / f"{clip}.wav"
        return self._copy(path, path.name) if path.is_file() else None

    def rejected_sound(self, item: Rejected) -> Sound | None:
        """The sound of a rejected item: a file of the notes folder, a stretch of a note, or a clip; None if it cannot be played."""
        row = item.row
        if item.stage == "convert":
            return self._note(row.name) if row.reason in PLAYABLE else None
        if row.input in self.cases:
            return self.clip_sound(row.input)
        path = self.folders.wav / f"{row.input}.wav"
        return read_stretch(path, float(row.start_s or 0), float(row.end_s) if row.end_s else None) if path.is_file() else None

    def _case(self, clip: str) -> doubt.Case:
        if clip not in self.cases:
            raise UserError("{clip}: this clip no longer exists", "reload the page", clip=clip)
        return self.cases[clip]

    def _note(self, name: str) -> Path | None:
        """A copy of a file of the notes folder; None if the name points outside of the folder."""
        folder = self.folders.notes.resolve()
        path = (folder / name).resolve()
        if not (path.is_relative_to(folder) and path.is_file()):
            return None
        suffix = path.suffix.lower() if re.fullmatch(r"\.[a-z0-9]{1,4}", path.suffix.lower()) else ""
        return self._copy(path, f"note{suffix}")

    def _copy(self, path: Path, name: str) -> Path:
        """A copy in our own folder: DVC may have linked the file to a place that the browser must not read."""
        copy = self.folders.copies / name
        with files.named_in_errors(copy):
            shutil.copyfile(path, copy)
        return copy

    def _ledger(self, stage: str) -> list[ledger.Row]:
        path = self.folders.ledger / f"{stage}.csv"
        return ledger.read(path) if path.is_file() else []


def one_line(text: str) -> str:
    """A text without line breaks and other control characters."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def read_stretch(path: Path, start_s: float, end_s: float | None) -> tuple[int, np.ndarray]:
    """A part of a mono PCM16 wav: its sample rate in Hz and int16 [T]. (The page's environment has no soundfile.)"""
    with wave.open(str(path), "rb") as file:
        rate_hz, length = file.getframerate(), file.getnframes()
        first = min(round(start_s * rate_hz), length)
        last = length if end_s is None else min(round(end_s * rate_hz), length)
        file.setpos(first)
        return rate_hz, np.frombuffer(file.readframes(max(last - first, 0)), dtype="<i2")
