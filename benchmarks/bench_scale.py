"""Time and memory of convert and segment against the number of notes, with a picture.

    python -m benchmarks.bench_scale FOLDER [--counts 100 316 1000 3162 10000] [--picture docs/scaling.svg]

Reads   espeak-ng, params.yaml
Writes  FOLDER (notes of 6 s on average, which the next run reuses; the outputs of the last count), the picture, a table on stdout,
        ready for benchmarks/README.md

Every count starts without a cache. The slope is that of a straight line through log time over log number, least squares: 1 is
proportional. Memory is that of the driver, the process that hands out the notes. (`bench_prep` measures a `dvc repro` without work.)
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from benchmarks import spoken_notes
from benchmarks.bench_prep import Run, convert, fresh, link, segment
from voz.pipeline import command

SEED = 29
SPAN_S = (3.0, 6.0)


@dataclass(frozen=True)
class Count:
    """Both stages over so many notes."""

    notes: int
    convert: Run
    segment: Run


def measure(folder: Path, notes: list[Path], count: int) -> Count:
    """Run both stages over the first notes."""
    chosen, home = fresh(folder / "some"), fresh(folder / "home")
    link(notes[:count], chosen)
    return Count(count, convert(chosen, home), segment(home))


def slope(counts: list[Count], seconds: list[float]) -> float:
    """Of log time over log number."""
    return float(np.polyfit(np.log([each.notes for each in counts]), np.log(seconds), 1)[0])


def draw(counts: list[Count], picture: Path) -> None:
    """Time over number, both logarithmic."""
    figure, axes = plt.subplots(figsize=(6, 4))
    numbers = [each.notes for each in counts]
    for name, seconds in (("convert", [c.convert.wall_s for c in counts]), ("segment", [c.segment.wall_s for c in counts])):
        axes.loglog(numbers, seconds, "o-", label=f"{name}, slope {slope(counts, seconds):.2f}")
    axes.set_xlabel("notes, 6 s on average")
    axes.set_ylabel("seconds, 2 cores")
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    figure.savefig(picture, bbox_inches="tight", metadata={"Date": None})


def main() -> None:
    """Measure every count and print the table."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    plt.rcParams["svg.hashsalt"] = "voz"  # same numbers, same bytes
    spoken_notes.write_notes(args.folder, max(args.counts), SEED, span_s=SPAN_S)
    notes = sorted((args.folder / "notes").glob("*.opus"))
    counts = [measure(args.folder, notes, count) for count in sorted(args.counts)]
    print("| notes | convert, s | segment, s | driver of convert, MiB | driver of segment, MiB |\n|---|---|---|---|---|")
    for each in counts:
        memory = f"{each.convert.driver_bytes / 2**20:.0f} | {each.segment.driver_bytes / 2**20:.0f}"
        print(f"| {each.notes} | {each.convert.wall_s:.1f} | {each.segment.wall_s:.1f} | {memory} |")
    slopes = [slope(counts, [getattr(each, stage).wall_s for each in counts]) for stage in ("convert", "segment")]
    print(f"| **slope** | **{slopes[0]:.2f}** | **{slopes[1]:.2f}** | | |")
    if args.picture:
        draw(counts, args.picture)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[100, 316, 1000, 3162, 10_000])
    parser.add_argument("--picture", type=Path, help="an SVG of time over number")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
