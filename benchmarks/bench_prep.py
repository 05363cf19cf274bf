"""Preparing the data: speed against ffmpeg and pysox per file, the cost of one new note, `dvc repro` without work, memory.

    python -m benchmarks.bench_prep FOLDER speed increment noop memory

Reads   espeak-ng, params.yaml; for `noop` a checkout in which `dvc repro` has run
Writes  FOLDER (notes, which the next run reuses; the outputs of the stages) and a table per part on stdout, for
        benchmarks/README.md

speed      convert + segment of 150 notes of 20 s, against ffmpeg or pysox per file followed by silero-vad: as a loop in one
           process, which their documentation shows, and as a pool with a process per core. Ours and theirs take turns; ratios
           are within a turn.
increment  1 000 notes, then one more, several times: computed items and wall time of both stages.
noop       `dvc repro` with nothing to do; 10 000 clips in data/clips and 10 000 in data/dataset.
memory     resident memory of the largest process, for 100 and 1 000 notes and for a note of 3 h.
"""

import argparse
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import soundfile

from benchmarks import idle_checkout, spoken_notes
from pocket.corpus import opus
from voz.pipeline import command, parallel

SEED = 23
SPEED_NOTES, SPEED_SPAN_S = 150, (17.0, 20.0)
MANY, FEWER, SHORT_SPAN_S = 1_000, 100, (3.0, 6.0)
LONG_S = 3 * 3600
SAMPLE_S = 0.05


@dataclass(frozen=True)
class Run:
    """Wall time of a command, and the greatest resident memory of any of its processes and of the first one (sampled every 50 ms)."""

    wall_s: float
    peak_bytes: int
    driver_bytes: int


def run(arguments: list[str], home: Path) -> Run:
    """Run `python -m ...` with its cache in `home`."""
    start, peak, driver = time.perf_counter(), 0, 0
    with open(home / "out.txt", "a", encoding="utf-8") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments], stdout=out, stderr=out, env={**os.environ, "DVC_ROOT": str(home), "TQDM_DISABLE": "1"}
        )
        watched = psutil.Process(child.pid)
        while child.poll() is None:
            peak, driver = max(peak, _largest(watched)), max(driver, _resident(watched))
            time.sleep(SAMPLE_S)
    if child.returncode:
        raise RuntimeError(f"{arguments}: status {child.returncode}; see {home / 'out.txt'}")
    return Run(time.perf_counter() - start, peak, driver)


def _resident(process: psutil.Process) -> int:
    """Resident memory of a process, in bytes; 0 if it has ended."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return int(process.memory_info().rss)
    return 0


def _largest(watched: psutil.Process) -> int:
    """Resident memory, in bytes, of the largest process of a tree."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return max(_resident(process) for process in [watched, *watched.children(recursive=True)])
    return 0


def convert(notes: Path, home: Path) -> Run:
    """Run our convert."""
    return run(["stages.convert", str(notes), str(home / "wav"), "--ledger", str(home / "convert.csv")], home)


def segment(home: Path) -> Run:
    """Run our segment."""
    files = ["--ledger", str(home / "segment.csv"), "--metrics", str(home / "segment.json")]
    return run(["stages.segment", str(home / "wav"), str(home / "clips"), *files], home)


def fresh(folder: Path) -> Path:
    """An empty folder, without a cache."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def speed(folder: Path, turns: int) -> list[str]:
    """Compare both stages with what a user would otherwise run."""
    base = folder / "speed"
    spoken_notes.write_notes(base, SPEED_NOTES, SEED, span_s=SPEED_SPAN_S)
    decode_for_sox(base)
    taken: dict[str, list[float]] = {}
    for number in range(turns):
        groups = _groups(base)
        for group in groups[::-1] if number % 2 else groups:  # in alternating order
            for name, job in group:
                taken.setdefault(name, []).append(job().wall_s)
    times = {name: np.array(seconds) for name, seconds in taken.items()}
    ours = times["convert"] + times["segment"]
    rows = ["| | convert, s | + VAD, s | convert / ours | convert + VAD / ours |", "|---|---|---|---|---|"]
    rows.append(f"| ours | {spread(times['convert'])} | {spread(ours)} | | |")
    for how in ("loop", "pool"):
        for tool in ("ffmpeg", "pysox"):
            alone = times[f"{tool} {how}"]
            both = alone + times[f"vad {how}"]
            ratios = f"**{spread(alone / times['convert'])}** | **{spread(both / ours)}**"
            rows.append(f"| {tool} per file, {how} | {spread(alone)} | {spread(both)} | {ratios} |")
    length_s = sum(note.duration_s for note in spoken_notes.read_truth(base / spoken_notes.TRUTH))
    return [f"{SPEED_NOTES} notes, {length_s / 60:.0f} min; median (least to greatest) of {turns} turns", "", *rows]


def _groups(base: Path) -> list[list[tuple[str, Callable[[], Run]]]]:
    """The jobs of a turn, by group."""
    home, rival = fresh(base / "ours"), fresh(base / "rival")
    cores, wavs = str(parallel.cores(0)), rival / "wavs"
    # The input of the VAD jobs; this also fills the page cache.
    run(["benchmarks.prep_rivals", "ffmpeg", str(base / "notes"), str(wavs), "--processes", cores], rival)
    groups: list[list[tuple[str, Callable[[], Run]]]] = [
        [("convert", functools.partial(convert, base / "notes", home)), ("segment", functools.partial(segment, home))]
    ]
    for how, processes in (("loop", "1"), ("pool", cores)):
        for tool, notes in (("ffmpeg", base / "notes"), ("pysox", base / "decoded")):
            work = ["benchmarks.prep_rivals", tool, str(notes), str(rival / "again"), "--processes", processes]
            groups.append([(f"{tool} {how}", functools.partial(run, work, rival))])
        groups.append(
            [(f"vad {how}", functools.partial(run, ["benchmarks.prep_rivals", "vad", str(wavs), "--processes", processes], rival))]
        )
    return groups


def decode_for_sox(base: Path) -> None:
    """Decode the notes to wavs, which is not timed: Debian's SoX reads no Opus."""
    target = base / "decoded"
    target.mkdir(exist_ok=True)
    for note in sorted((base / "notes").glob("*.opus")):
        wav = target / f"{note.stem}.wav"
        if not wav.is_file():
            soundfile.write(wav, opus.decode(note.read_bytes()), opus.SAMPLE_RATE_HZ)


def increment(folder: Path, turns: int) -> list[str]:
    """Measure the cost of one new note after a thousand."""
    base = folder / "many"
    spoken_notes.write_notes(base, MANY + turns, SEED, span_s=SHORT_SPAN_S)
    files = sorted((base / "notes").glob("*.opus"))
    home = fresh(base / "increment")
    notes = fresh(base / "some")
    link(files[:MANY], notes)
    full = [convert(notes, home), segment(home)]
    again, more = [], []
    for number in range(turns):
        again.append([convert(notes, home), segment(home)])
        link(files[MANY + number : MANY + number + 1], notes)
        more.append([convert(notes, home), segment(home)])
    rows = [
        "| | 1 000 notes, s | nothing new, s | one more, s | items computed | one more over nothing new, % of 1 000 |",
        "|---|---|---|---|---|---|",
    ]
    for at, stage in enumerate(("convert", "segment")):
        computed = [line["computed"] for line in read_log(home, stage)][2::2]
        starts, ends = [pair[at].wall_s for pair in again], [pair[at].wall_s for pair in more]
        share = [100 * (end - start) / full[at].wall_s for start, end in zip(starts, ends, strict=True)]
        rows.append(f"| {stage} | {full[at].wall_s:.1f} | {spread(starts)} | {spread(ends)} | {computed} | {spread(share)} |")
    total = sum(each.wall_s for each in full)
    over = [sum(each.wall_s for each in b) - sum(each.wall_s for each in a) for a, b in zip(again, more, strict=True)]
    rows.append(f"| both | {total:.1f} | | | | **{spread([100 * each / total for each in over])}** |")
    return rows


def noop(folder: Path, turns: int) -> list[str]:
    """Measure a `dvc repro` that has nothing to do."""
    checkout = idle_checkout.build(folder / "checkout")
    seconds = [idle_checkout.repro_s(checkout) for _ in range(turns + 1)][1:]  # the first fills DVC's table of hashes
    return [f"no-op `dvc repro`, {idle_checkout.CLIPS} clips in data/clips and in data/dataset: **{spread(seconds)} s**"]


def memory(folder: Path, turns: int) -> list[str]:
    """Measure the largest process of each stage."""
    base = folder / "many"
    spoken_notes.write_notes(base, MANY + turns, SEED, span_s=SHORT_SPAN_S)
    files = sorted((base / "notes").glob("*.opus"))
    long = folder / "long.opus"
    if not long.is_file():
        long.write_bytes(three_hours(base / "notes"))
    rows = ["| | convert, MiB | segment, MiB |", "|---|---|---|"]
    for name, chosen in ((f"{FEWER} notes", files[:FEWER]), (f"{MANY} notes", files[:MANY]), ("3 h, and 7 short ones", [long, *files[:7]])):
        notes, home = fresh(base / "some"), fresh(base / "memory")
        link(chosen, notes)
        peaks = [convert(notes, home).peak_bytes / 2**20, segment(home).peak_bytes / 2**20]
        rows.append(f"| {name} | {peaks[0]:.0f} | {peaks[1]:.0f} |")
    return rows


def three_hours(notes: Path) -> bytes:
    """An Opus file of 3 h: short notes, repeated."""
    pcm = [opus.decode(note.read_bytes()) for note in sorted(notes.glob("*.opus"))[:100]]
    length = LONG_S * opus.SAMPLE_RATE_HZ
    return opus.encode(np.resize(np.concatenate(pcm), length), bitrate_bps=24_000, effort=0)


def link(files: list[Path], folder: Path) -> None:
    """Put files into a folder without copying them."""
    for file in files:
        os.link(file, folder / file.name)


def read_log(home: Path, stage: str) -> list[dict[str, int]]:
    """How many items each run of a stage computed and reused."""
    return [json.loads(line) for line in (home / ".cache" / "log" / f"{stage}.jsonl").read_text(encoding="utf-8").splitlines()]


def spread(values: "np.ndarray | list[float]") -> str:
    """Median, least and greatest."""
    return f"{np.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


PARTS = {"speed": speed, "increment": increment, "noop": noop, "memory": memory}


def main() -> None:
    """Run the chosen parts and print their tables."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    for part in args.parts:
        print("\n".join([f"\n{part}", "", *PARTS[part](args.folder.resolve(), args.turns)]), flush=True)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("parts", nargs="+", choices=tuple(PARTS))
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
