"""A folder in which `curate` runs on clips of a speaker and whatever a test changes of them."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from stages import curate
from tests import clips
from voz.pipeline import files, ledger, records

ROOT = Path(__file__).parent.parent
BASE = ROOT / "models" / "pocket" / "xtts"
PROMPT = "Che, ¿vos qué querés? Dale, mirá, yo ya llegué."


@dataclass
class Workshop:
    """A folder with clips, transcripts and corrections, in which curate runs."""

    folder: Path
    clips: dict[str, records.Clip]

    def run(self) -> dict[str, ledger.Row]:
        """Run the stage and return the rows of its ledger by the sounds' names."""
        names = [
            "clips",
            "transcripts",
            "dataset",
            "--corrections",
            "c.csv",
            "--base",
            str(BASE),
            "--ledger",
            "ledger.csv",
            "--metrics",
            "curate.json",
        ]
        sys.argv = ["curate", *names]
        curate.main()
        rows = {row.input: row for row in ledger.read(self.folder / "ledger.csv")}
        return {name: rows[clip.id] for name, clip in self.clips.items()}

    @property
    def metrics(self) -> dict[str, object]:
        return dict(json.loads((self.folder / "curate.json").read_text()))

    def correct(self, *rows: str) -> None:
        (self.folder / "c.csv").write_text("\n".join(["clip,action,text", *rows]) + "\n", encoding="utf-8")


def make(
    folder: Path, sounds: dict[str, np.ndarray], transcripts: dict[str, dict[str, object]] | None = None, **changes: dict[str, object]
) -> Workshop:
    """A Workshop of sounds by name. `transcripts` and the keywords change fields of a sound's Transcript and Clip."""
    changed = {name: replace(clips.clip_of(name, sounds[name]), **change) for name, change in changes.items()}
    made = clips.write_clips(folder / "clips", sounds, **changed)
    rows = []
    for name, clip in made.items():
        said = {"text": clips.texts().get(name, "")} | (transcripts or {}).get(name, {})
        rows.append(clips.transcript_of(clip, str(said.pop("text")), **said))
    records.write(folder / "transcripts", rows)
    files.write_json(folder / "transcripts" / curate.SETTINGS, {"prompt": PROMPT})
    done = Workshop(folder, made)
    done.correct()
    return done
