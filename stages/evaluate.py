"""Judge the fine-tuned voice against the base on test notes, which neither training nor the choice of epoch has seen.

    python -m stages.evaluate data/dataset models/voice --base models/pocket/xtts --asr models/pocket/whisper.pt \\
        --lines reports/lines --metrics reports/evaluate.json --plots reports/plots/evaluate

Reads   data/dataset/manifest.jsonl + wavs/<id>.wav           the test split
        models/voice, models/pocket/xtts                      both speak with models/voice/reference.wav and the same seeds
Writes  reports/lines/manifest.jsonl                          records.Comparison, one per line
        reports/lines/{real,base,fine_tuned}/<id>.wav         22 050 Hz the recording, 24 000 Hz what was spoken
        reports/evaluate.json                                 means with 95 % intervals by note: no words, no sound
        reports/plots/evaluate/*.csv                          the figures line by line, numbers only

Figures of a line: character error rate of what whisper hears, likeness to the speaker's other test notes, share of its ⟨ll, y⟩
spoken as [ʃ], mel-cepstral distortion from the recording, mean and range of F0. The real recordings' own figures are the ceiling.
The loss is that of all test clips, given the reference as when speaking. Without espeak-ng the accent is not measured.
"""

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field

from voz.audio import wav
from voz.data import dataset
from voz.metrics import accent, espeak, measures
from voz.model import batches, device, gpt_trainer, synthesis, whisper, xtts
from voz.pipeline import cache, command, files, parallel, params, records
from voz.pipeline.checked import section

VOICES = ("real", "base", "fine_tuned")
DIFFERENCE = "difference"  # fine-tuned minus base, line by line
Figures = dict[str, float]  # of one line, by name; what could not be measured is not there


@section
class Params:
    """Section `evaluate` of params.yaml."""

    lines: int = Field(ge=1)
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    top_k: int = Field(ge=1)
    repetition_penalty: float = Field(gt=0)
    seed: int

    def sampling(self) -> synthesis.Sampling:
        """The settings of both voices."""
        return synthesis.Sampling(self.temperature, self.top_p, self.top_k, self.repetition_penalty)


@dataclass(frozen=True)
class Spoken:
    """One voice saying the lines: float32 at `rate_hz`, [T] each; and its loss on each test clip, which the real one has not."""

    pcms: list[np.ndarray]
    rate_hz: int
    losses: list[Figures]


class Bench:
    """What both voices are held against: the test clips, coqui's loss on them, the lines to speak and their recordings."""

    def __init__(self, folder: Path, base: Path, p: Params, where: torch.device) -> None:
        self.clips = dataset.read(folder, "test")
        if not self.clips:
            raise command.UserError(f"{folder}: no test clips", "raise curate.test_share, or add notes")
        self.lines = choose_lines(self.clips, p.lines)
        self.folder, self.p, self.where = folder, p, where
        self.heard_clips = [(clip.note, wav.read(dataset.wav(folder, clip))) for clip in self.clips]
        recordings = {clip.id: pcm for clip, (_, pcm) in zip(self.clips, self.heard_clips, strict=True)}
        self.recordings = [recordings[line.id] for line in self.lines]
        self.scorer = gpt_trainer.build(base, lr=0.0, weight_decay=0.0, betas=[0.9, 0.999], eps=1e-8).to(where)  # nothing is learnt here
        self.scorer.learning(False)
        samples = batches.load(self.clips, folder / "wavs", xtts.read_tokenizer(base))
        self.samples = [replace(sample, codes=self.scorer.codes(batches.pcm(sample))) for sample in samples]

    def real(self) -> Spoken:
        """The recordings themselves."""
        return Spoken(self.recordings, wav.SAMPLE_RATE_HZ, [{} for _ in self.clips])

    def voice(self, model: xtts.Xtts, reference: np.ndarray, name: str) -> Spoken:
        """The loss of a model on every test clip, and the lines in its voice, both given `reference` (22 050 Hz, [T])."""
        conditioning = xtts.conditioning(model, reference)
        self.scorer.xtts = model
        samples = parallel.progress(self.samples, total=len(self.samples), label=f"{name}: loss")
        losses = [{"loss": self.scorer.loss_given(sample, conditioning.latents)} for sample in samples]
        lines = synthesis.number([line.normalized for line in self.lines], seed=self.p.seed)
        return Spoken(synthesis.speak(model, conditioning, lines, self.p.sampling(), label=f"{name}: speak"), wav.OUTPUT_RATE_HZ, losses)


def choose_lines(examples: Sequence[records.Example], count: int) -> list[records.Example]:
    """Clips spread over the notes: one of each note before a second of any, in an order of hashes that a new note does not move."""

    def rank(name: str) -> str:
        return hashlib.sha256(name.encode()).hexdigest()

    of_note: dict[str, list[records.Example]] = {}
    for example in sorted(examples, key=lambda e: rank(e.id)):
        of_note.setdefault(example.note, []).append(example)
    turns = [(turn, rank(note), clip) for note, clips in of_note.items() for turn, clip in enumerate(clips)]
    chosen = [clip for _, _, clip in sorted(turns, key=lambda t: t[:2])[:count]]
    return sorted(chosen, key=lambda e: e.id)


def hear(listener: whisper.Whisper, spoken: Spoken, lines: list[records.Example]) -> list[str]:
    """What whisper hears in each line, greedily and without a prompt that could put words into its mouth."""
    pcms = [wav.resample(pcm, spoken.rate_hz, wav.ASR_RATE_HZ) for pcm in spoken.pcms]
    seeds = [whisper.seed_of(line.id) for line in lines]
    return [each.text for each in whisper.transcribe(listener, pcms, prompt="", temperatures=[0.0], seeds=seeds)]


def measure(bench: Bench, ear: xtts.Xtts, spoken: dict[str, Spoken], heard: dict[str, list[str]]) -> dict[str, list[Figures]]:
    """All figures of each line of each voice; `ear` is the model whose speaker encoder compares."""
    prints = [(note, xtts.speaker_embedding(ear, pcm)) for note, pcm in bench.heard_clips]
    figures: dict[str, list[Figures]] = {voice: [] for voice in VOICES}
    for i, line in enumerate(parallel.progress(bench.lines, total=len(bench.lines), label="measure")):
        for voice in VOICES:
            pcm = wav.resample(spoken[voice].pcms[i], spoken[voice].rate_hz, wav.SAMPLE_RATE_HZ)
            found = {"cer": min(1.0, measures.cer(line.normalized, heard[voice][i]))}  # one endless line must not be the mean
            found |= likeness(xtts.speaker_embedding(ear, pcm), line.note, prints) | sheismo(line.normalized, pcm)
            figures[voice].append(found | acoustics(pcm, None if voice == "real" else bench.recordings[i]))
    return figures


def likeness(voiceprint: np.ndarray, note: str, prints: Sequence[tuple[str, np.ndarray]]) -> Figures:
    """Similarity to the speaker's recordings in other notes: the same note shares room and microphone with the real line."""
    others = [each for other, each in prints if other != note]
    return {"similarity": measures.similarity(voiceprint, others)} if others else {}


def sheismo(spoken: str, pcm: np.ndarray) -> Figures:
    """Share of the text's ⟨ll, y⟩ spoken as [ʃ]: nothing where the text has none, or without espeak-ng."""
    windows = accent.listen(spoken, pcm) if espeak.available() else []
    return {"sheismo": accent.share(windows)} if windows else {}


def acoustics(pcm: np.ndarray, recording: np.ndarray | None) -> Figures:
    """What signal processing says of one line, beside its recording where it is not the recording itself."""
    melody = measures.f0(pcm)
    figures = {} if recording is None else {"mcd_db": measures.mcd_db(pcm, recording)}
    return figures | ({} if melody is None else {f"f0_{key}": value for key, value in asdict(melody).items()})


def summarise(figures: Sequence[Figures], notes: Sequence[str], *, seed: int) -> dict[str, dict[str, float]]:
    """Mean and interval of each figure over the lines that have it."""
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


def report(bench: Bench, figures: dict[str, list[Figures]], losses: dict[str, list[Figures]]) -> dict[str, Any]:
    """The metrics: nested means with intervals, aggregate only."""
    clip_notes, line_notes = [clip.note for clip in bench.clips], [line.note for line in bench.lines]
    values: dict[str, Any] = {"lines": len(line_notes), "clips": len(clip_notes), "notes": len(set(clip_notes))}
    for voice in (*VOICES, DIFFERENCE):
        of_clips, of_lines = (
            differences(table["base"], table["fine_tuned"]) if voice == DIFFERENCE else table[voice] for table in (losses, figures)
        )
        values[voice] = summarise(of_clips, clip_notes, seed=bench.p.seed) | summarise(of_lines, line_notes, seed=bench.p.seed)
    return values


def comparisons(bench: Bench, heard: dict[str, list[str]], figures: dict[str, list[Figures]]) -> list[records.Comparison]:
    """The manifest's rows."""
    return [
        records.Comparison(
            id=line.id,
            note=line.note,
            text=line.normalized,
            heard_real=heard["real"][i],
            heard_base=heard["base"][i],
            heard_fine_tuned=heard["fine_tuned"][i],
            real=figures["real"][i],
            base=figures["base"][i],
            fine_tuned=figures["fine_tuned"][i],
        )
        for i, line in enumerate(bench.lines)
    ]


def write_lines(folder: Path, bench: Bench, spoken: dict[str, Spoken], rows: list[records.Comparison]) -> None:
    """The manifest, what both voices spoke, and the recordings as they lie in the dataset."""
    files.fresh_folder(folder)
    for voice in VOICES:
        (folder / voice).mkdir()
        for line, pcm in zip(bench.lines, spoken[voice].pcms, strict=True):
            if voice == "real":
                files.copy(dataset.wav(bench.folder, line), folder / voice / f"{line.id}.wav")
            else:
                wav.write(folder / voice / f"{line.id}.wav", pcm, rate_hz=spoken[voice].rate_hz)
    records.write(folder, rows)


def write_plots(folder: Path, tables: Sequence[dict[str, list[Figures]]]) -> None:
    """One CSV per figure: a row per line, a column per voice that has it. Rows have numbers, not names: these are in git."""
    files.fresh_folder(folder)
    for table in tables:
        for name in sorted({name for lines in table.values() for line in lines for name in line}):
            voices = [voice for voice in VOICES if any(name in line for line in table[voice])]
            columns = [[f"{line[name]:.6f}" if name in line else "" for line in table[voice]] for voice in voices]
            rows = [["line", *voices], *([str(number), *row] for number, row in enumerate(zip(*columns, strict=True), start=1))]
            files.write_text(folder / f"{name}.csv", "".join(",".join(row) + "\n" for row in rows))


def print_summary(values: dict[str, Any]) -> None:
    """A table for people."""
    print(f"test: {values['clips']} clips of {values['notes']} notes, {values['lines']} lines spoken by base and fine-tuned")
    print(f"{'':14}" + "".join(f"{voice:>12}" for voice in (*VOICES, DIFFERENCE)) + "   95 % of the difference")
    for name, difference in values[DIFFERENCE].items():
        tables = [values[voice] for voice in (*VOICES, DIFFERENCE)]
        cells = "".join(f"{table[name]['mean']:12.3f}" if name in table else f"{'–':>12}" for table in tables)
        print(f"{name:14}{cells}" + (f"   {difference['low']:.3f} to {difference['high']:.3f}" if "low" in difference else ""))


def main() -> None:
    """Run the stage."""
    args = parse_args()
    p, compute = params.load("evaluate", Params), params.load("compute", params.Compute)
    device.seed_everything(p.seed)
    reference = wav.read(require_reference(args.voice))
    if not espeak.available():
        print("accent is not measured: espeak-ng is missing (`make doctor` says how to get it)")
    listener = whisper.load(args.asr, device.pick(compute.device))
    bench = Bench(args.dataset, args.base, p, device.pick(compute.device))
    spoken = {"real": bench.real()}
    for name, folder in (("base", args.base), ("fine_tuned", args.voice)):
        model = xtts.load_model(folder, device=bench.where)
        spoken[name] = bench.voice(model, reference, name)
    heard = {name: hear(listener, spoken[name], bench.lines) for name in VOICES}
    figures = measure(bench, model, spoken, heard)
    losses = {name: spoken[name].losses for name in VOICES}
    values = report(bench, figures, losses)
    write_lines(args.lines, bench, spoken, comparisons(bench, heard, figures))
    write_plots(args.plots, [losses, figures])
    files.write_json(args.metrics, values)
    cache.log("evaluate", lines=len(bench.lines), clips=len(bench.clips), device=str(bench.where))
    print_summary(values)


def require_reference(voice: Path) -> Path:
    """The voice's reference recording.

    Raises:
        UserError: there is no voice in the folder.
    """
    if not (voice / "reference.wav").is_file():
        raise command.UserError(f"{voice}: no voice (reference.wav missing)", "run `dvc repro train`, or `dvc pull`")
    return voice / "reference.wav"


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("voice", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="folder of the XTTS base the voice was trained from")
    parser.add_argument("--asr", type=Path, required=True, help="whisper checkpoint that listens")
    parser.add_argument("--lines", type=Path, required=True, help="folder for what was spoken, with its figures")
    parser.add_argument("--metrics", type=Path, required=True)
    parser.add_argument("--plots", type=Path, required=True, help="folder for the CSV files")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
