"""Measure the pocket models: the table of the README. A report whose models or data are missing is left as it was.

    python -m pocket.evaluate                       (paths below are the defaults)

Reads   pocket/build/{corpus,whisper}               test sentences, test voices (`make pocket`)
        models/pocket/{whisper.pt,xtts}             what is measured
        data/{wav,clips,transcripts,dataset}, models/voice     the demo's pipeline, after `make demo`
        data/demo/truth.csv, params.yaml
        .cache/real/whisper-base.pt                 a second judge of the voices, if it is there (`make check-demo` fetches it)
Writes  pocket/reports/whisper.json                 CER on unseen sentences of unseen voices, through Opus at 16 kb/s
        pocket/reports/notes.json                   CER on the demo notes, from note to transcript
        pocket/reports/voices.json                  the base, its clone and the fine-tuned voice: pocket/evaluate_voices.py
"""

import argparse
import csv
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jiwer
import yaml

from pocket import evaluate_voices
from pocket.corpus.manifest import read_manifest
from pocket.whisper.batches import PROMPT
from pocket.whisper.shards import Shards, read_clips
from voz.model import whisper
from voz.pipeline import command, files, records
from voz.text import normalize

COVERED = 0.95  # share of a sentence that must lie in clips: Whisper cannot transcribe what segment left out
TOUCH_S = 0.1  # less of a sentence in a clip than this is padding


@dataclass(frozen=True)
class Spoken:
    """A sentence of truth.csv: where it lies in its note, and its text."""

    start_s: float
    end_s: float
    text: str


def whisper_on_unseen(args: argparse.Namespace) -> dict[str, float]:
    """CER over the test clips, without a prompt and with that of the real profile."""
    shards, clips = Shards(args.build / "whisper"), [clip for clip in read_clips(args.build / "whisper") if clip.split == "test"]
    model = whisper.load(args.asr, "cpu")
    rates = {}
    for name, given in (("cer", ""), ("cer_prompted", PROMPT)):
        pcms = [shards.read(clip) for clip in clips]
        transcripts = whisper.transcribe(model, pcms, prompt=given, temperatures=[0.0], seeds=[0] * len(clips))
        rates[name] = error_rate([clip.text for clip in clips], [each.text for each in transcripts])
    voices = {row.voice for row in read_manifest(args.build / "corpus", role="asr", split="test")}
    return {**rates, "sentences": len(clips), "voices": len(voices), "opus_kbps": 16}


def demo_notes(args: argparse.Namespace) -> dict[str, float]:
    """CER of the demo's transcripts against truth.csv; sentences and clips that overlap are compared together."""
    truth = read_truth(args.demo / "truth.csv")
    names = {note.id: note.name for note in records.read(args.data / "wav", records.Note)}
    transcripts = {row.id: row.text for row in records.read(args.data / "transcripts", records.Transcript)}
    of_note: dict[str, list[records.Clip]] = {}
    for clip in records.read(args.data / "clips", records.Clip):
        if clip.id in transcripts:
            of_note.setdefault(names[clip.note], []).append(clip)
    written, said, clips = [], [], 0
    for name in sorted(of_note.keys() & truth.keys()):
        for sentences, group in groups(truth[name], sorted(of_note[name], key=lambda clip: clip.start_s)):
            written.append(" ".join(sentence.text for sentence in sentences))
            said.append(" ".join(transcripts[clip.id] for clip in group))
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
    """Whether clips hold at least COVERED of the sentence."""
    inside_s = sum(max(0.0, min(clip.end_s, sentence.end_s) - max(clip.start_s, sentence.start_s)) for clip in clips)
    return inside_s >= COVERED * (sentence.end_s - sentence.start_s)


def read_truth(path: Path) -> dict[str, list[Spoken]]:
    """Sentences of each note by the note's file name, in order."""
    truth: dict[str, list[Spoken]] = {}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            truth.setdefault(row["name"], []).append(Spoken(float(row["start_s"]), float(row["end_s"]), row["text"]))
    return truth


def error_rate(written: Sequence[str], transcribed: Sequence[str]) -> float:
    """Character errors over characters of all lines together, spoken forms."""
    return round(float(jiwer.cer([normalize.spoken(each) for each in written], [normalize.spoken(each) for each in transcribed])), 4)


@dataclass(frozen=True)
class Report:
    """One file of pocket/reports: the models and data that it needs, the weights that it is about, how it is measured."""

    needs: tuple[Path, ...]
    weights: tuple[Path, ...]
    measure: Callable[[], dict[str, Any]]


def reports(args: argparse.Namespace) -> dict[str, Report]:
    """The reports by name."""
    corpus, shard, model = args.build / "corpus", args.build / "whisper" / "shard-000.jsonl", args.base / "model.pth"
    dataset, ears = args.data / "dataset", {"cer": args.asr, **({"cer_whisper_base": args.ear} if args.ear.is_file() else {})}
    settings = yaml.safe_load(args.params.read_text(encoding="utf-8"))["evaluate"]
    return {
        "whisper": Report((shard, args.asr), (args.asr,), lambda: whisper_on_unseen(args)),
        "notes": Report((args.data / "transcripts" / records.MANIFEST, args.demo / "truth.csv"), (args.asr,), lambda: demo_notes(args)),
        "voices": Report(
            (corpus, model, args.asr, args.voice / "model.pth", dataset),
            (args.asr, args.base / "dvae.pth", model),
            lambda: evaluate_voices.voices(corpus, args.base, args.voice, dataset, ears, settings),
        ),
    }


def weights_sha256(paths: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of each file of weights by its path, so that a test can tell whether a report is about the weights in git."""
    return {str(path): files.hash_file(path) for path in paths}


def main() -> None:
    args = parse_args()
    for name, report in reports(args).items():
        if args.only and name not in args.only:
            continue
        missing = [str(path) for path in report.needs if not path.exists()]
        if missing:
            print(f"{name}: not measured, missing {', '.join(missing)}")
            continue
        figures = report.measure() | {"weights_sha256": weights_sha256(report.weights)}
        files.write_json(args.reports / f"{name}.json", figures)
        print(f"{name}: {json.dumps(figures, sort_keys=True)}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", choices=("whisper", "notes", "voices"), help="some of the reports; all without it")
    for name, path in (
        ("build", "pocket/build"), ("asr", "models/pocket/whisper.pt"), ("base", "models/pocket/xtts"), ("voice", "models/voice"),
        ("data", "data"), ("demo", "data/demo"), ("params", "params.yaml"), ("reports", "pocket/reports"),
        ("ear", ".cache/real/whisper-base.pt"),
    ):  # fmt: skip
        parser.add_argument(f"--{name}", type=Path, default=Path(path))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
