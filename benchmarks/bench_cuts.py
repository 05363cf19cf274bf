"""How often a cut goes through a word: ours against GPT-SoVITS's slicer, Whisper's sentence ends and fixed 9 s.

    python -m benchmarks.bench_cuts FOLDER [--notes 300]

Reads   espeak-ng (its library reports when each word is spoken), models/pocket/whisper.pt, params.yaml
Writes  FOLDER: notes, their word times, the outputs of convert and segment (reused by the next run); a table on stdout, for
        benchmarks/README.md

Every method cuts the wavs that our convert wrote. A cut is an edge of a clip that is not the note's own beginning or end; two
edges at one place count once. It is inside a word if it lies more than 20 ms after the word's start and more than 20 ms before
its end (benchmarks/spoken_notes.py defines both).
"""

import argparse
import bisect
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks import slicing, spoken_notes, whisper_words
from benchmarks.spoken_notes import SpokenNote, Word
from stages.segment import NEAR_TARGET_S
from voz.audio import limits, wav
from voz.pipeline import command, records

SEED = 11
INSIDE_S = 0.02  # a cut nearer to the edge of a word is not inside it
ENDS_S = 0.02  # a boundary nearer to the beginning or end of the note is not a cut
QUIET_ROOM_DB = 30.0  # a room is quiet if its noise is this much under the note's level
FIRST_SOUND_DB = 15.0  # speech has begun when the level is this much over the room


@dataclass(frozen=True)
class Score:
    """The result of one method on all notes."""

    name: str
    cuts: int
    inside: int
    speech_kept: float  # share of the words' duration that lies in a clip
    lengths_s: np.ndarray  # of the clips [N]

    def row(self) -> str:
        """A line of the table."""
        low, high = NEAR_TARGET_S
        near = float(((self.lengths_s >= low) & (self.lengths_s <= high)).mean())
        long = int((self.lengths_s > limits.MAX_S).sum())
        share = f"{self.inside} ({self.inside / self.cuts:.1%})"
        return f"| {self.name} | {self.cuts} | {share} | {self.speech_kept:.1%} | {len(self.lengths_s)} | {near:.1%} | {long} |"


HEAD = "| | cuts | inside a word | speech kept | clips | 7-11 s | longer than 11.6 s |\n|---|---|---|---|---|---|---|"


def run_stages(folder: Path) -> dict[str, records.Note]:
    """Run our convert and segment on `folder`/notes. Returns the converted notes by file name."""
    wavs, clips, ledger = folder / "wav", folder / "clips", folder / "ledger"
    stages = (
        ["stages.convert", folder / "notes", wavs, "--ledger", ledger / "convert.csv"],
        ["stages.segment", wavs, clips, "--ledger", ledger / "segment.csv", "--metrics", folder / "segment.json"],
    )
    for stage in stages:
        subprocess.run([sys.executable, "-m", *map(str, stage)], check=True, env={**os.environ, "DVC_ROOT": str(folder)})
    return {note.name: note for note in records.read(wavs, records.Note)}


def score(name: str, notes: list[SpokenNote], clips: list[slicing.Clips]) -> Score:
    """Compare each note's clips with its words."""
    cuts = inside = 0
    kept_s = total_s = 0.0
    for note, own in zip(notes, clips, strict=True):
        edges = {edge for clip in own for edge in clip if ENDS_S < edge < note.duration_s - ENDS_S}
        cuts += len(edges)
        inside += sum(inside_a_word(edge, note.words) for edge in edges)
        kept_s += sum(max(0.0, min(word.end_s, end) - max(word.start_s, start)) for word in note.words for start, end in own)
        total_s += sum(word.end_s - word.start_s for word in note.words)
    return Score(name, cuts, inside, kept_s / total_s, np.array([end - start for own in clips for start, end in own]))


def sentences(words: list[list[Word]], notes: list[SpokenNote]) -> list[slicing.Clips]:
    """Cut each note at the ends of its sentences, by the given word times."""
    return [slicing.sentence_clips(own, note.duration_s) for own, note in zip(words, notes, strict=True)]


def inside_a_word(at_s: float, words: list[Word]) -> bool:
    """True if a cut at `at_s` goes through one of the words, which are in order."""
    index = bisect.bisect_right([word.start_s for word in words], at_s) - 1
    return index >= 0 and words[index].start_s + INSIDE_S < at_s < words[index].end_s - INSIDE_S


def delay_s(note: SpokenNote, pcm: np.ndarray) -> float | None:
    """Delay from the start of the first word to the first sound of a converted note [T]; None if the room is not quiet."""
    hop = wav.SAMPLE_RATE_HZ // 200  # 5 ms
    energy = (pcm[: len(pcm) // hop * hop].reshape(-1, hop).astype(np.float64) ** 2).mean(axis=1)
    room = energy[: int(note.words[0].start_s * 200) - 4].mean()
    if energy.mean() < room * 10 ** (QUIET_ROOM_DB / 10):
        return None
    return int(np.argmax(energy > room * 10 ** (FIRST_SOUND_DB / 10))) / 200 - note.words[0].start_s


def check_times(notes: list[SpokenNote], wavs: list[Path]) -> str:
    """Check the word times against the converted audio of the notes in quiet rooms."""
    delays_s = [delay_s(note, wav.read(path)) for note, path in zip(notes, wavs, strict=True)]
    delays_ms = np.array([1000 * each for each in delays_s if each is not None])
    return (
        f"{len(delays_ms)} notes in quiet rooms: the first sound is {np.median(delays_ms):.0f} ms after the start of the first word "
        f"(median; 90 % within {np.percentile(delays_ms, 5):.0f} and {np.percentile(delays_ms, 95):.0f})"
    )


def main() -> None:
    """Make the notes, cut them by five methods, print the table."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    spoken = spoken_notes.write_notes(args.folder, args.notes, SEED)
    converted = run_stages(args.folder)
    notes = [note for note in spoken if note.name in converted]
    wavs = [args.folder / "wav" / f"{converted[note.name].id}.wav" for note in notes]
    ours: dict[str, slicing.Clips] = {converted[note.name].id: [] for note in notes}
    for clip in records.read(args.folder / "clips", records.Clip):
        ours[clip.note].append((clip.start_s, clip.end_s))
    true_times = [slicing.in_whisper_steps(note.words) for note in notes]
    whisper_times = whisper_words.of_notes(wavs)
    scores = [
        score("ours (`stages/segment.py`)", notes, list(ours.values())),
        score("GPT-SoVITS's slicer", notes, [slicing.energy_slices(wav.read(path), wav.SAMPLE_RATE_HZ) for path in wavs]),
        score("Whisper's word times, cut at . ! ?", notes, sentences(whisper_times, notes)),
        score("true word times, cut at . ! ?", notes, sentences(true_times, notes)),
        score("fixed 9 s", notes, [slicing.fixed_clips(note.duration_s) for note in notes]),
    ]
    words = sum(len(note.words) for note in notes)
    print(f"\n{len(notes)} notes, {sum(note.duration_s for note in notes) / 3600:.2f} h, {words} words; {check_times(notes, wavs)}\n")
    print("\n".join([HEAD, *(each.row() for each in scores)]))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder to write; notes in it are reused")
    parser.add_argument("--notes", type=int, default=300)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
