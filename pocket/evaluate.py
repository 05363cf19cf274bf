"""Measure the pocket models: the rows of the README's table. A row whose models or data are not there is left as it was.

    python -m pocket.evaluate                       (paths below are the defaults)

Reads   pocket/build/{corpus,whisper}               test sentences, test voices (`make pocket`)
        models/pocket/{whisper.pt,xtts}             what is measured
        data/{wav,clips,transcripts,dataset}, models/voice     the demo's pipeline, after `make demo`
        data/demo/truth.csv, params.yaml
Writes  pocket/reports/whisper.json                 CER on unseen sentences of unseen voices, through Opus at 16 kb/s
        pocket/reports/notes.json                   CER on the demo notes, from note to transcript
        pocket/reports/voices.json                  base, its clone of the demo speaker and the fine-tuned voice: pocket/evaluate_voices.py
"""

import argparse
import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jiwer
import yaml

from pocket import evaluate_voices
from pocket.corpus.manifest import read_manifest
from pocket.whisper.batches import PROMPT
from pocket.whisper.shards import Sound, read_clips
from voz.model import whisper
from voz.pipeline import command, records
from voz.text import normalize

COVERED = 0.95  # share of a sentence that must lie in clips: what segment left out is no fault of the ear
TOUCH_S = 0.1  # less of a sentence in a clip than this is padding


@dataclass(frozen=True)
class Spoken:
    """A sentence of the truth: where it lies in its note, and its text."""

    start_s: float
    end_s: float
    normalize: str


def whisper_on_unseen(args: argparse.Namespace) -> dict[str, float]:
    """CER over the test clips, without a prompt and with that of the real profile."""
    sound, clips = Sound(args.build / "whisper"), [clip for clip in read_clips(args.build / "whisper") if clip.split == "test"]
    model = whisper.load(args.asr, "cpu")
    rates = {}
    for name, given in (("cer", ""), ("cer_prompted", PROMPT)):
        heard = whisper.transcribe(
            model,
            [sound.read(clip) for clip in clips],
            language=normalize.LANGUAGE,
            prompt=given,
            temperatures=[0.0],
            seeds=[0] * len(clips),
        )
        rates[name] = error_rate([clip.text for clip in clips], [each.text for each in heard])
    voices = {row.voice for row in read_manifest(args.build / "corpus", role="asr", split="test")}
    return {**rates, "sentences": len(clips), "voices": len(voices), "opus_kbps": 16}


def demo_notes(args: argparse.Namespace) -> dict[str, float]:
    """CER of the demo's transcripts against the truth; sentences and clips that touch are compared together."""
    truth = read_truth(args.demo / "truth.csv")
    names = {note.id: note.name for note in records.read(args.data / "wav", records.Note)}
    heard = {row.id: row.text for row in records.read(args.data / "transcripts", records.Transcript)}
    of_note: dict[str, list[records.Clip]] = {}
    for clip in records.read(args.data / "clips", records.Clip):
        if clip.id in heard:
            of_note.setdefault(names[clip.note], []).append(clip)
    written, said, clips = [], [], 0
    for name in sorted(of_note.keys() & truth.keys()):
        for sentences, group in groups(truth[name], sorted(of_note[name], key=lambda clip: clip.start_s)):
            written.append(" ".join(sentence.text for sentence in sentences))
            said.append(" ".join(heard[clip.id] for clip in group))
            clips += len(group)
    return {"cer": error_rate(written, said), "clips": clips, "notes": len(of_note.keys() & truth.keys())}


def groups(sentences: Sequence[Spoken], clips: Sequence[records.Clip]) -> list[tuple[list[Spoken], list[records.Clip]]]:
    """Sentences and the clips that hold them; a sentence cut in two joins its clips. Those not wholly in clips are left out with theirs."""
    found: list[tuple[list[Spoken], list[records.Clip]]] = []
    for sentence in sentences:
        holders = [clip for clip in clips if min(clip.end_s, sentence.end_s) - max(clip.start_s, sentence.start_s) > TOUCH_S]
        if found and holders and found[-1][1] and found[-1][1][-1] == holders[0]:
            found[-1][0].append(sentence)
            found[-1][1].extend(holders[1:])
        else:
            found.append(([sentence], holders))
    return [(inside, holders) for inside, holders in found if holders and all(covered(one, holders) for one in inside)]


def covered(sentence: Spoken, clips: Sequence[records.Clip]) -> bool:
    """Whether clips hold the sentence, all but a rest."""
    inside_s = sum(max(0.0, min(clip.end_s, sentence.end_s) - max(clip.start_s, sentence.start_s)) for clip in clips)
    return inside_s >= COVERED * (sentence.end_s - sentence.start_s)


def read_truth(path: Path) -> dict[str, list[Spoken]]:
    """Sentences of each note by the note's file name, in order."""
    truth: dict[str, list[Spoken]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            truth.setdefault(row["name"], []).append(Spoken(float(row["start_s"]), float(row["end_s"]), row["text"]))
    return truth


def error_rate(written: Sequence[str], heard: Sequence[str]) -> float:
    """Character errors over characters of all lines together, spoken forms."""
    return round(float(jiwer.cer([normalize.spoken(each) for each in written], [normalize.spoken(each) for each in heard])), 4)


def save(path: Path, report: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".part")
    draft.write_text(json.dumps(report, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    os.replace(draft, path)


def main() -> None:
    args = parse_args()
    params = yaml.safe_load(args.params.read_text(encoding="utf-8"))
    needed = {
        "whisper": (args.build / "whisper" / "shard-000.jsonl", args.asr),
        "notes": (args.data / "transcripts" / records.MANIFEST, args.demo / "truth.csv"),
        "voices": (args.build / "corpus", args.base / "model.pth", args.asr, args.voice / "model.pth", args.data / "dataset"),
    }
    measure = {
        "whisper": lambda: whisper_on_unseen(args),
        "notes": lambda: demo_notes(args),
        "voices": lambda: evaluate_voices.voices(
            args.build / "corpus", args.base, args.voice, args.data / "dataset", args.asr, params["evaluate"]
        ),
    }
    for name in args.only or needed:
        missing = [str(path) for path in needed[name] if not path.exists()]
        if missing:
            print(f"{name}: not measured, missing {', '.join(missing)}")
            continue
        report = measure[name]()
        save(args.reports / f"{name}.json", report)
        print(f"{name}: {json.dumps(report, sort_keys=True)}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=("whisper", "notes", "voices"), help="some of the reports; all without it")
    for name, path in (
        ("build", "pocket/build"), ("asr", "models/pocket/whisper.pt"), ("base", "models/pocket/xtts"), ("voice", "models/voice"),
        ("data", "data"), ("demo", "data/demo"), ("params", "params.yaml"), ("reports", "pocket/reports"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=Path, default=Path(path))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
