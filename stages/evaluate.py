"""Compare the fine-tuned voice with the base on the test notes, which neither the training nor the choice of the epoch has seen.

    python -m stages.evaluate data/dataset models/voice --base models/pocket/xtts --asr models/pocket/whisper.pt \\
        --judge models/pocket/whisper.pt --lines reports/lines --metrics reports/evaluate.json --summary reports/summary.json \\
        --plots reports/plots/evaluate

Reads   data/dataset/manifest.jsonl + wavs/<id>.wav           the test split
        models/voice, models/pocket/xtts                      both speak with models/voice/reference.wav and the same seeds
Writes  reports/lines/manifest.jsonl                          records.Comparison, one per line
        reports/lines/{real,base,fine_tuned}/<id>.wav         the recording at 22 050 Hz, the two voices at 24 000 Hz
        reports/evaluate.json                                 means with 95 % intervals by note: no words, no sound
        reports/summary.json                                  the headline numbers of the fine-tuned voice, for `dvc metrics`
        reports/plots/evaluate/<figure>.csv                   mean and interval by voice

What each figure means, and which judge neither made nor chose the voice: voz/metrics/figures.py; the accent: docs/accent.md. The
figures of the recordings show what can be reached. The loss is the mean over all test clips, conditioned on the reference as in
synthesis. Without espeak-ng the accent is not measured. If --judge is another checkpoint than --asr, its error rate is a second figure.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from voz.audio import wav
from voz.data import dataset
from voz.metrics import espeak, estimates, figures, judges, line_scores, measures, voice_losses
from voz.metrics.accent import summary as accent
from voz.metrics.line_scores import Figures, LineAudio
from voz.model import batches, clip_features, device, dvae, synthesis, transcriber, xtts
from voz.model.batches import Sample
from voz.model.generation import Sampling
from voz.model.voice import Voice, load_voice
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section
from voz.pipeline.language import tr
from voz.pipeline.records import DIFFERENCE, FROM_REAL, VOICES


@section
class Params(Sampling):
    """Section `evaluate` of params.yaml."""

    lines: int = Field(ge=1)
    seed: int = Field(ge=0)


@dataclass(frozen=True)
class EvalSet:
    """What the voices are compared on.

    clips: the test split, sorted by id.
    samples: the same clips with the codes that the base's DVAE gives them, for the loss.
    lines: the clips whose texts are spoken.
    recordings: samples of each clip, by id. float32 at 22 050 Hz, [T] each
    """

    folder: Path
    clips: list[records.Example]
    samples: list[Sample]
    lines: list[records.Example]
    recordings: dict[str, np.ndarray]


@dataclass(frozen=True)
class Rendition:
    """The lines as one of VOICES speaks them.

    pcms: float32 in [-1, 1] at `rate_hz`. [T] each
    transcripts: of each line, by the figure that is made of them: "cer", and "cer_judge" if there is a second Whisper.
    """

    pcms: list[np.ndarray]
    rate_hz: int
    transcripts: dict[str, list[str]]


def read_eval_set(folder: Path, base: Path, count: int, where: torch.device) -> EvalSet:
    """Read the test split of a dataset, encode it and choose `count` lines.

    Raises:
        UserError: the split is empty, or a clip cannot be used (it is named).
    """
    clips = dataset.read(folder, "test")
    if not clips:
        raise command.UserError("{folder}: no test clips", "raise curate.test_share, or add notes", folder=folder)
    xtts.require(base)
    samples = batches.load(clips, folder / "wavs", xtts.read_tokenizer(base))
    samples = clip_features.with_codes(samples, base, files.hash_files(base, dvae.FILES), where)
    recordings = {clip.id: wav.read(dataset.wav(folder, clip)) for clip in clips}
    return EvalSet(folder, clips, samples, dataset.choose_lines(clips, count), recordings)


def transcribers(asr: Path, judge: Path, where: torch.device) -> dict[str, transcriber.Transcriber]:
    """Who transcribes the lines, by the figure that is made of the transcripts. The same checkpoint twice would be no second judge."""
    own, second = transcriber.Transcriber(asr, where), transcriber.Transcriber(judge, where)
    return {"cer": own} if second.hash == own.hash else {"cer": own, "cer_judge": second}


def render(eval_set: EvalSet, voices: dict[str, Voice], ears: dict[str, transcriber.Transcriber], p: Params) -> dict[str, Rendition]:
    """The lines as recorded and as each model speaks them, by VOICES. ears: see `transcribers`"""
    ids = [line.id for line in eval_set.lines]
    numbered = synthesis.number([line.normalized for line in eval_set.lines], seed=p.seed)
    lines = [replace(line, id=name) for line, name in zip(numbered, ids, strict=True)]

    def transcribed(pcms: list[np.ndarray], rate_hz: int) -> Rendition:
        return Rendition(pcms, rate_hz, {name: each.texts(pcms, rate_hz=rate_hz, ids=ids) for name, each in ears.items()})

    renditions = {"real": transcribed([eval_set.recordings[name] for name in ids], wav.SAMPLE_RATE_HZ)}
    for name, voice in voices.items():
        renditions[name] = transcribed(voice.speak(lines, p, label=tr("{name}: speak", name=name)), wav.OUTPUT_RATE_HZ)
    return renditions


def line_figures(eval_set: EvalSet, renditions: dict[str, Rendition], base: Voice) -> dict[str, list[Figures]]:
    """All figures of each line, by VOICES. XTTS's speaker encoder is the base's, which training does not change."""

    def model() -> xtts.Xtts:
        return base.model

    clip_ids = [clip.id for clip in eval_set.clips]
    own = clip_features.speaker_embeddings(eval_set.samples, model, base.model_hash)
    others = judges.voice_embeddings([eval_set.recordings[name] for name in clip_ids], ids=clip_ids, label="recordings: voice")
    found = {}
    for name, rendition in renditions.items():
        lines = audio_of(eval_set, rendition, recorded=name == "real")
        ids, pcms = [line.id for line in lines], [line.pcm for line in lines]
        analyses = line_scores.analyse_lines(lines, model, base.model_hash, label=tr("{name}: measure", name=name))
        embeddings = judges.voice_embeddings(pcms, ids=ids, label=tr("{name}: voice", name=name))
        qualities = judges.signal_quality(pcms, ids=ids, label=tr("{name}: quality", name=name))
        found[name] = [
            errors(line.normalized, {ear: texts[i] for ear, texts in rendition.transcripts.items()})
            | similarity("similarity", analyses[i].speaker_embedding, line.note, eval_set.clips, own)
            | similarity("similarity_resemblyzer", embeddings[i], line.note, eval_set.clips, others)
            | ({} if (quality := qualities[i]) is None else {"distillmos": quality})
            | analyses[i].figures
            for i, line in enumerate(eval_set.lines)
        ]
    return found


def audio_of(eval_set: EvalSet, rendition: Rendition, *, recorded: bool) -> list[LineAudio]:
    """The lines of a rendition, each beside its recording unless it is the recording."""
    pcms = [wav.resample(pcm, rendition.rate_hz, wav.SAMPLE_RATE_HZ) for pcm in rendition.pcms]
    recordings = [None if recorded else eval_set.recordings[line.id] for line in eval_set.lines]
    pairs = zip(eval_set.lines, pcms, recordings, strict=True)
    return [LineAudio(line.id, line.normalized, pcm, recording) for line, pcm, recording in pairs]


def errors(text: str, transcripts: dict[str, str]) -> Figures:
    """Character error rate of each transcript."""
    return {name: measures.capped_cer(text, transcript) for name, transcript in transcripts.items()}


def similarity(
    name: str,
    embedding: np.ndarray | None,
    note: str,
    clips: Sequence[records.Example],
    of_clips: Sequence[np.ndarray | None],
) -> Figures:
    """Similarity to the recordings of other notes: those of the same note share their room and microphone with the recorded line.

    Args:
        name: of the figure.
        embedding: of the line, [D]; None if it has none.
        note: of the line.
        of_clips: the embedding of each clip. [D] each
    """
    others = [each for clip, each in zip(clips, of_clips, strict=True) if clip.note != note and each is not None]
    return {name: measures.similarity(embedding, others)} if others and embedding is not None else {}


def accent_from_real(of_lines: dict[str, list[Figures]], voice: str) -> list[Figures]:
    """How far the accent of a voice is from that of the recordings, line by line: 0 is the speaker's own."""
    return [
        {name: line[name] for name in accent.NAMES if name in line} for line in estimates.differences(of_lines["real"], of_lines[voice])
    ]


def aggregate(eval_set: EvalSet, of_lines: dict[str, list[Figures]], losses: dict[str, list[Figures]], *, seed: int) -> dict[str, Any]:
    """The metrics: means with intervals, by voice and figure."""
    clip_notes, line_notes = [clip.note for clip in eval_set.clips], [line.note for line in eval_set.lines]
    values: dict[str, Any] = {"lines": len(line_notes), "clips": len(clip_notes), "notes": len(set(clip_notes))}
    for name in (*VOICES, DIFFERENCE):
        clips, lines = (
            estimates.differences(table["base"], table["fine_tuned"]) if name == DIFFERENCE else table[name] for table in (losses, of_lines)
        )
        values[name] = estimates.summarise(clips, clip_notes, seed=seed) | estimates.summarise(lines, line_notes, seed=seed)
    for voice, name in FROM_REAL.items():
        values[name] = estimates.summarise(accent_from_real(of_lines, voice), line_notes, seed=seed)
    return values


def comparisons(eval_set: EvalSet, renditions: dict[str, Rendition], of_lines: dict[str, list[Figures]]) -> list[records.Comparison]:
    """The rows of the manifest."""
    return [
        records.Comparison(
            id=line.id,
            note=line.note,
            text=line.normalized,
            heard_real=renditions["real"].transcripts["cer"][i],
            heard_base=renditions["base"].transcripts["cer"][i],
            heard_fine_tuned=renditions["fine_tuned"].transcripts["cer"][i],
            real=of_lines["real"][i],
            base=of_lines["base"][i],
            fine_tuned=of_lines["fine_tuned"][i],
        )
        for i, line in enumerate(eval_set.lines)
    ]


def write_lines(folder: Path, eval_set: EvalSet, renditions: dict[str, Rendition], rows: list[records.Comparison]) -> None:
    """The manifest, the spoken lines, and copies of the recordings."""
    with files.whole_folder(folder) as whole:
        for name in VOICES:
            (whole / name).mkdir()
            for line, pcm in zip(eval_set.lines, renditions[name].pcms, strict=True):
                if name == "real":
                    files.copy(dataset.wav(eval_set.folder, line), whole / name / f"{line.id}.wav")
                else:
                    wav.write(whole / name / f"{line.id}.wav", pcm, rate_hz=renditions[name].rate_hz)
        records.write(whole, rows)


def write_plots(folder: Path, values: dict[str, Any]) -> None:
    """One CSV per figure: a row per voice that has it. Means only: what belongs to one line of a person does not go to git.

    A figure that was not measured has a file without rows, because `dvc plots` complains about a missing one.
    """
    with files.whole_folder(folder) as whole:
        for name in figures.FIGURES:
            rows = [(voice, values[voice][name]) for voice in VOICES if name in values[voice]]
            cells = [[voice, *(f"{each[key]:.6f}" if key in each else "" for key in ("mean", "low", "high"))] for voice, each in rows]
            files.write_text(whole / f"{name}.csv", files.csv_text([["voice", "mean", "low", "high"], *cells]))


def print_summary(values: dict[str, Any]) -> None:
    """A table for people: own and independent figures below each other, with the interval of the difference."""
    print(
        tr(
            "test: {clips} clips of {notes} notes, {lines} lines spoken by base and fine-tuned",
            clips=values["clips"],
            notes=values["notes"],
            lines=values["lines"],
        )
    )
    print(f"{'':24}" + "".join(f"{name:>12}" for name in (*VOICES, DIFFERENCE)) + f"   {tr('95 % of the difference'):24}{tr('judge')}")
    for row in figures.table(values):
        cells = "".join(f"{row.cells[voice].mean:>12}" for voice in (*VOICES, DIFFERENCE))
        print(f"{row.name:24}{cells}   {row.cells[DIFFERENCE].range:24}{tr(row.figure.judge)}")


def main() -> None:
    """Run the stage."""
    args = parse_args()
    p, compute = params.load("evaluate", Params), params.load("compute", params.Compute)
    where = device.pick(compute.device)
    device.seed_everything(p.seed)
    fine_tuned = load_voice(args.voice, where, base=args.base, engine=compute.models)
    ears = transcribers(args.asr, args.judge, where)
    voices = {"base": Voice(args.base, fine_tuned.reference, where, engine=compute.models), "fine_tuned": fine_tuned}
    if not espeak.available():
        print(tr("the accent is not measured: espeak-ng is missing (`make doctor` says how to get it)"))
    eval_set = read_eval_set(args.dataset, args.base, p.lines, where)
    losses = {
        name: voice_losses.clip_losses(voice, eval_set.samples, label=tr("{name}: loss", name=name)) for name, voice in voices.items()
    }
    losses["real"] = [{} for _ in eval_set.samples]
    renditions = render(eval_set, voices, ears, p)
    of_lines = line_figures(eval_set, renditions, voices["base"])
    values = aggregate(eval_set, of_lines, losses, seed=p.seed)
    write_lines(args.lines, eval_set, renditions, comparisons(eval_set, renditions, of_lines))
    write_plots(args.plots, values)
    files.write_json(args.metrics, values)
    files.write_json(args.summary, figures.summary(values))
    cache.log("evaluate", lines=len(eval_set.lines), clips=len(eval_set.clips), device=str(where))
    print_summary(values)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base that the voice was trained from")
    parser.add_argument("--asr", type=Path, required=True, help="Whisper checkpoint that transcribes the lines")
    parser.add_argument("--judge", type=Path, required=True, help="a second Whisper checkpoint, or the same one")
    parser.add_argument("--lines", type=Path, required=True, help="folder for the spoken lines and their figures")
    parser.add_argument("--metrics", type=Path, required=True, help="file for all means and intervals")
    parser.add_argument("--summary", type=Path, required=True, help="file for the headline numbers")
    parser.add_argument("--plots", type=Path, required=True, help="folder for the CSV files")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
