"""Memory of synthesize while it speaks very many lines.

    python -m benchmarks.bench_lines FOLDER [--lines 10000]

Reads   models/voice, models/pocket/whisper.pt (`make demo` writes the voice)
Writes  FOLDER (texts, the outputs, a cache); a table on stdout, ready for benchmarks/README.md

One try at each line, no watermark: both would only take longer.
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
from voz.pipeline import command, params

SEED = 31
MARKS = 10  # rows of the table
POLL_S = 0.5
ROOT = Path(__file__).resolve().parent.parent


def prepare(folder: Path, count: int) -> None:
    """Write texts and parameters."""
    sentences = itertools.islice(everyday_sentences.generate(SEED, length="short", forbidden=set()), count)
    (folder / "texts.txt").write_text("\n".join(sentences), encoding="utf-8")
    values = params.read()
    values["synthesize"] |= {"max_tries": 1, "watermark": "none"}
    (folder / "params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def speak(folder: Path, count: int) -> list[tuple[int, float, int]]:
    """Run the stage. Returns, ten times: lines written, seconds since the start, and the greatest resident memory since the last time."""
    pocket = ROOT / "models" / "pocket"
    arguments = [ROOT / "models/voice", "outputs", "--base", pocket / "xtts", "--texts", "texts.txt", "--asr", pocket / "whisper.pt"]
    environment = os.environ | {"DVC_ROOT": str(folder), "PYTHONPATH": str(ROOT), "TQDM_DISABLE": "1"}
    rows: list[tuple[int, float, int]] = []
    start, highest = time.monotonic(), 0
    with open(folder / "out.txt", "w", encoding="utf-8") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "stages.synthesize", *map(str, arguments)], cwd=folder, env=environment, stdout=out, stderr=out
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
