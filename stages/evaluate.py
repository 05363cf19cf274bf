"""Compare the fine-tuned voice with the base on the test notes, which neither the training nor the choice of the epoch has seen.

    python -m stages.evaluate data/dataset models/voice --base models/pocket/xtts --asr models/pocket/whisper.pt \\
        --lines reports/lines --metrics reports/evaluate.json --plots reports/plots/evaluate

Reads   data/dataset/manifest.jsonl + wavs/<id>.wav           the test split
        models/voice, models/pocket/xtts                      both speak with models/voice/reference.wav and the same seeds
Writes  reports/lines/manifest.jsonl                          records.Comparison, one per line
        reports/lines/{real,base,fine_tuned}/<id>.wav         the recording at 22 050 Hz, the two voices at 24 000 Hz
        reports/evaluate.json                                 means with 95 % intervals by note: no words, no sound
        reports/plots/evaluate/*.csv                          the figures line by line, numbers only

Figures of a line: character error rate of Whisper's transcript, similarity to the speaker's other test notes, accent
(docs/accent.md), mel-cepstral distortion from the recording, mean and range of F0. Those of the recordings show what can be reached.
The loss is the mean over all test clips, conditioned on the reference as in synthesis. Without espeak-ng the accent is not measured.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from voz.audio import wav
from voz.data import dataset
from voz.metrics import espeak, line_scores, measures
from voz.metrics.accent import summary as accent
from voz.metrics.line_scores import Figures, LineAnalysis, LineAudio
from voz.model import batches, clip_features, device, dvae, gpt_trainer, synthesis, transcriber, xtts
from voz.model.batches import Sample
from voz.model.generation import Sampling
from voz.model.voice import Voice, load_voice
from voz.pipeline import cache, command, files, params, records
from voz.pipeline.checked import section
from voz.pipeline.records import DIFFERENCE, FROM_REAL, VOICES

LOSS_VERSION = 1  # raise when the same clip and weights give another loss; tests/test_evaluate.py holds a golden one


@section
class Params(Sampling):
    """Section `evaluate` of params.yaml."""

    lines: int = Field(ge=1)
    seed: int


@dataclass(frozen=True)
class EvalSet:
    """What the voices are compared on.

    clips: the test split, sorted by id.
    samples: the same clips with the codes that the base's DVAE gives them, for the loss.
    lines: the clips whose texts are spoken.
    recordings: samples of each line, by id. float32 at 22 050 Hz, [T] each
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
    transcripts: Whisper's.
    """

    pcms: list[np.ndarray]
    rate_hz: int
    transcripts: list[str]


def read_eval_set(folder: Path, base: Path, count: int, where: torch.device) -> EvalSet:
    """Read the test split of a dataset, encode it and choose `count` lines.

    Raises:
        UserError: the split is empty, or a clip cannot be used (it is named).
    """
    clips = dataset.read(folder, "test")
    if not clips:
        raise command.UserError(f"{folder}: no test clips", "raise curate.test_share, or add notes")
    xtts.require(base)
    samples = batches.load(clips, folder / "wavs", xtts.read_tokenizer(base))
    samples = clip_features.with_codes(samples, base, files.hash_files(base, dvae.FILES), where)
    lines = dataset.choose_lines(clips, count)
    return EvalSet(folder, clips, samples, lines, {line.id: wav.read(dataset.wav(folder, line)) for line in lines})


def clip_losses(voice: Voice, samples: Sequence[Sample], *, label: str) -> list[Figures]:
    """The loss of a voice on each clip, conditioned on its reference recording."""
    store = cache.Cache("losses", LOSS_VERSION, params={}, model=voice.model_hash)

    def key(sample: Sample) -> cache.Key:
        content = json.dumps([sample.tokens.tolist(), sample.codes.tolist(), sample.length])
        return store.key(sample.id, hashlib.sha256(content.encode()).hexdigest(), voice.reference_hash)

    def work(sample: Sample, entry: Path) -> None:
        loss = gpt_trainer.code_loss(voice.model, sample, voice.conditioning.latents)
        cache.save_json(entry, "loss.json", {"loss": loss})

    def load(entry: Path) -> Figures:
        return dict(cache.load_json(entry, "loss.json"))

    return store.map(samples, key=key, work=work, load=load, label=label, unit="clip")


def render(eval_set: EvalSet, voices: dict[str, Voice], asr: transcriber.Transcriber, p: Params) -> dict[str, Rendition]:
    """The lines as recorded and as each model speaks them, by VOICES."""
    ids = [line.id for line in eval_set.lines]
    numbered = synthesis.number([line.normalized for line in eval_set.lines], seed=p.seed)
    lines = [replace(line, id=name) for line, name in zip(numbered, ids, strict=True)]

    def transcribed(pcms: list[np.ndarray], rate_hz: int) -> Rendition:
        return Rendition(pcms, rate_hz, asr.texts(pcms, rate_hz=rate_hz, ids=ids))

    renditions = {"real": transcribed([eval_set.recordings[name] for name in ids], wav.SAMPLE_RATE_HZ)}
    for name, voice in voices.items():
        renditions[name] = transcribed(voice.speak(lines, p, label=f"{name}: speak"), wav.OUTPUT_RATE_HZ)
    return renditions


def line_figures(eval_set: EvalSet, renditions: dict[str, Rendition], base: Voice) -> dict[str, list[Figures]]:
    """All figures of each line, by VOICES. The speaker encoder is the base's, which training does not change."""

    def model() -> xtts.Xtts:
        return base.model

    embeddings = clip_features.speaker_embeddings(eval_set.samples, model, base.model_hash)
    by_note = [(clip.note, embedding) for clip, embedding in zip(eval_set.clips, embeddings, strict=True)]
    figures = {}
    for name, rendition in renditions.items():
        lines = audio_of(eval_set, rendition, recorded=name == "real")
        analyses = line_scores.analyse_lines(lines, model, base.model_hash, label=f"{name}: measure")
        rows = zip(eval_set.lines, rendition.transcripts, analyses, strict=True)
        figures[name] = [figures_of(line, transcript, analysis, by_note) for line, transcript, analysis in rows]
    return figures


def audio_of(eval_set: EvalSet, rendition: Rendition, *, recorded: bool) -> list[LineAudio]:
    """The lines of a rendition, each beside its recording unless it is the recording."""
    pcms = [wav.resample(pcm, rendition.rate_hz, wav.SAMPLE_RATE_HZ) for pcm in rendition.pcms]
    recordings = [None if recorded else eval_set.recordings[line.id] for line in eval_set.lines]
    pairs = zip(eval_set.lines, pcms, recordings, strict=True)
    return [LineAudio(line.id, line.normalized, pcm, recording) for line, pcm, recording in pairs]


def figures_of(line: records.Example, transcript: str, analysis: LineAnalysis, by_note: Sequence[tuple[str, np.ndarray]]) -> Figures:
    """All figures of one line. by_note: see `similarity`"""
    cer = min(1.0, measures.cer(line.normalized, transcript))  # so that one endless line does not decide the mean
    return {"cer": cer} | similarity(analysis.speaker_embedding, line.note, by_note) | analysis.figures


def similarity(embedding: np.ndarray, note: str, by_note: Sequence[tuple[str, np.ndarray]]) -> Figures:
    """Similarity to the recordings of other notes: those of the same note share their room and microphone with the recorded line.

    Args:
        embedding: of the line, [512].
        by_note: note and embedding of each recording.
    """
    others = [each for other, each in by_note if other != note]
    return {"similarity": measures.similarity(embedding, others)} if others else {}


def summarise(figures: Sequence[Figures], notes: Sequence[str], *, seed: int) -> dict[str, dict[str, float]]:
    """Mean and interval of each figure over the lines that have it. notes: of each line."""
    names = list(dict.fromkeys(name for line in figures for name in line))
    summary = {}
    for name in names:
        pairs = [(line[name], note) for line, note in zip(figures, notes, strict=True) if name in line]
        estimate = measures.interval([value for value, _ in pairs], [note for _, note in pairs], seed=seed)
        summary[name] = {key: value for key, value in asdict(estimate).items() if value is not None}
    return summary


def differences(base: Sequence[Figures], fine_tuned: Sequence[Figures]) -> list[Figures]:
    """Fine-tuned minus base, line by line."""
    return [{name: own[name] - other[name] for name in other if name in own} for other, own in zip(base, fine_tuned, strict=True)]


def accent_from_real(figures: dict[str, list[Figures]], voice: str) -> list[Figures]:
    """How far the accent of a voice is from that of the recordings, line by line: 0 is the speaker's own."""
    return [{name: line[name] for name in accent.NAMES if name in line} for line in differences(figures["real"], figures[voice])]


def aggregate(eval_set: EvalSet, figures: dict[str, list[Figures]], losses: dict[str, list[Figures]], *, seed: int) -> dict[str, Any]:
    """The metrics: means with intervals, by voice and figure."""
    clip_notes, line_notes = [clip.note for clip in eval_set.clips], [line.note for line in eval_set.lines]
    values: dict[str, Any] = {"lines": len(line_notes), "clips": len(clip_notes), "notes": len(set(clip_notes))}
    for name in (*VOICES, DIFFERENCE):
        of_clips, of_lines = (
            differences(table["base"], table["fine_tuned"]) if name == DIFFERENCE else table[name] for table in (losses, figures)
        )
        values[name] = summarise(of_clips, clip_notes, seed=seed) | summarise(of_lines, line_notes, seed=seed)
    for voice, name in FROM_REAL.items():
        values[name] = summarise(accent_from_real(figures, voice), line_notes, seed=seed)
    return values


def comparisons(eval_set: EvalSet, renditions: dict[str, Rendition], figures: dict[str, list[Figures]]) -> list[records.Comparison]:
    """The rows of the manifest."""
    return [
        records.Comparison(
            id=line.id,
            note=line.note,
            text=line.normalized,
            heard_real=renditions["real"].transcripts[i],
            heard_base=renditions["base"].transcripts[i],
            heard_fine_tuned=renditions["fine_tuned"].transcripts[i],
            real=figures["real"][i],
            base=figures["base"][i],
            fine_tuned=figures["fine_tuned"][i],
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


def write_plots(folder: Path, tables: Sequence[dict[str, list[Figures]]]) -> None:
    """One CSV per figure: a row per line, a column per voice that has the figure. Rows are numbered, not named: these are in git."""
    with files.whole_folder(folder) as whole:
        for table in tables:
            for name in sorted({name for lines in table.values() for line in lines for name in line}):
                columns = [each for each in VOICES if any(name in line for line in table[each])]
                cells = [[f"{line[name]:.6f}" if name in line else "" for line in table[each]] for each in columns]
                rows = [["line", *columns], *([str(number), *row] for number, row in enumerate(zip(*cells, strict=True), start=1))]
                files.write_text(whole / f"{name}.csv", "".join(",".join(row) + "\n" for row in rows))


def print_summary(values: dict[str, Any]) -> None:
    """A table for people."""
    print(f"test: {values['clips']} clips of {values['notes']} notes, {values['lines']} lines spoken by base and fine-tuned")
    print(f"{'':14}" + "".join(f"{name:>12}" for name in (*VOICES, DIFFERENCE)) + "   95 % of the difference")
    for name, difference in values[DIFFERENCE].items():
        tables = [values[each] for each in (*VOICES, DIFFERENCE)]
        cells = "".join(f"{table[name]['mean']:12.3f}" if name in table else f"{'–':>12}" for table in tables)
        print(f"{name:14}{cells}" + (f"   {difference['low']:.3f} to {difference['high']:.3f}" if "low" in difference else ""))


def main() -> None:
    """Run the stage."""
    args = parse_args()
    p, where = params.load("evaluate", Params), device.pick(params.load("compute", params.Compute).device)
    device.seed_everything(p.seed)
    fine_tuned, asr = load_voice(args.voice, where), transcriber.Transcriber(args.asr, where)
    voices = {"base": Voice(args.base, fine_tuned.reference, where), "fine_tuned": fine_tuned}
    if not espeak.available():
        print("the accent is not measured: espeak-ng is missing (`make doctor` says how to get it)")
    eval_set = read_eval_set(args.dataset, args.base, p.lines, where)
    losses = {name: clip_losses(voice, eval_set.samples, label=f"{name}: loss") for name, voice in voices.items()}
    losses["real"] = [{} for _ in eval_set.samples]
    renditions = render(eval_set, voices, asr, p)
    figures = line_figures(eval_set, renditions, voices["base"])
    values = aggregate(eval_set, figures, losses, seed=p.seed)
    write_lines(args.lines, eval_set, renditions, comparisons(eval_set, renditions, figures))
    write_plots(args.plots, [losses, figures])
    files.write_json(args.metrics, values)
    cache.log("evaluate", lines=len(eval_set.lines), clips=len(eval_set.clips), device=str(where))
    print_summary(values)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base that the voice was trained from")
    parser.add_argument("--asr", type=Path, required=True, help="Whisper checkpoint that transcribes the lines")
    parser.add_argument("--lines", type=Path, required=True, help="folder for the spoken lines and their figures")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True, help="folder for the CSV files")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
