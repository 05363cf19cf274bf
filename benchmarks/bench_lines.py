"""Memory of synthesize while it speaks very many lines.

    python -m benchmarks.bench_lines FOLDER [--lines 10000]

Reads   params.yaml
Writes  FOLDER (texts, models of random weights, the outputs, a cache); a table on stdout, ready for benchmarks/README.md

The models are the smallest that speak and transcribe (tests/tiny_voice.py, tiny_whisper.py), because what is asked is whether anything
grows with the lines. One try at each line, no watermark: both would only take longer.
"""

import argparse
import itertools
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import yaml

from benchmarks.bench_prep import fresh
from pocket.corpus import everyday_sentences
from tests import tiny_voice, tiny_whisper
from voz.pipeline import command, params

SEED = 31
MARKS = 10  # rows of the table
POLL_S = 0.5
ROOT = Path(__file__).resolve().parent.parent


def prepare(folder: Path, count: int) -> None:
    """Write texts, models and parameters."""
    tiny_voice.make(folder / "voice", stop_bias=1.0)
    tiny_whisper.make(folder / "whisper.pt")
    sentences = itertools.islice(everyday_sentences.generate(SEED, length="short", forbidden=set()), count)
    (folder / "texts.txt").write_text("\n".join(sentences), encoding="utf-8")
    values = params.read()
    values["synthesize"] |= {"max_tries": 1, "watermark": "none"}
    values["compute"]["device"] = "cpu"
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def speak(folder: Path, count: int) -> list[tuple[int, float, int]]:
    """Run the stage. Returns, ten times: lines written, seconds since the start, and the greatest resident memory since the last time."""
    arguments = ["voice", "outputs", "--base", "voice", "--texts", "texts.txt", "--asr", "whisper.pt"]
    environment = os.environ | {"DVC_ROOT": str(folder), "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    rows: list[tuple[int, float, int]] = []
    start, highest = time.monotonic(), 0
    with open(folder / "out.txt", "w", encoding="utf-8") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "stages.synthesize", *arguments], cwd=folder, env=environment, stdout=out, stderr=out
        )
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            written = sum(1 for _ in folder.glob(".outputs.tmp/*.wav"))
            highest = max(highest, watched.memory_info().rss)
            if written >= (len(rows) + 1) * count // MARKS:
                rows.append((written, time.monotonic() - start, highest))
                highest = 0
            time.sleep(POLL_S)
    if len(rows) < MARKS:
        rows.append((count, time.monotonic() - start, highest))
    if child.returncode:
        raise command.UserError("synthesize ended with {status}", "see {log}", status=child.returncode, log=folder / "out.txt")
    return rows


def main() -> None:
    """Measure and print the table."""
    args = parse_args()
    folder = fresh(args.folder.resolve())
    prepare(folder, args.lines)
    print("| lines written | s | most memory since the row above, MiB |\n|---|---|---|")
    for written, seconds, highest in speak(folder, args.lines):
        print(f"| {written} | {seconds:.0f} | {highest / 2**20:.0f} |")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lines", type=int, default=10_000)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
