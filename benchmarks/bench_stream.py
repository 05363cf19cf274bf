"""How long a person waits for the first sound of a text that is spoken while it is generated (`make speak STREAM=1`).

    python -m benchmarks.bench_stream --base FOLDER --reference clip.wav [--turns 8] [--device cpu]

Reads   a base or voice folder (`bench_train` makes one of XTTS_v2's sizes), a recording at 22 050 Hz
Writes  a table on stdout, ready for benchmarks/README.md

From the text to the first piece of `synthesis.stream`, when the voice is loaded and the latents of its reference are computed: the wait of
every text but the first. Each of `bench_speak`'s texts is one turn, in which each row speaks it; one turn more, the first, warms up. Beside
it, the same text by coqui's `Xtts.inference_stream` with its own defaults (chunks of 20 codes), and ours with the watermark, as `make
speak` has it: a sample is marked when half a second after it is there.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.bench_speak import GREEDY, TEXTS
from voz.audio import watermark, wav
from voz.model import device, gpt_decoder, synthesis, xtts
from voz.model.packed import Precision
from voz.pipeline import command, params

Pieces = Iterator[np.ndarray] | Iterator[torch.Tensor]
PRECISIONS: tuple[Precision, ...] = ("fp32", "bf16")


@dataclass(frozen=True)
class Row:
    """How a text is spoken, and what was measured.

    precision: of our decoder, which is made before.
    took: seconds until the first piece, of each turn.
    sound_s: length of the first piece of each turn.
    """

    name: str
    precision: Precision
    speak: Callable[[str], Pieces]
    took: list[float] = field(default_factory=list)
    sound_s: list[float] = field(default_factory=list)


def rows_of(model: xtts.Xtts, given: xtts.Conditioning) -> list[Row]:
    """Nothing is measured yet."""
    mark = watermark.Watermark(model.device)

    def coquis(text: str) -> Pieces:
        chunks: Iterator[torch.Tensor] = model.inference_stream(
            text, "es", given.latents, given.speaker, do_sample=False, repetition_penalty=GREEDY.repetition_penalty
        )
        return chunks

    def ours(text: str, precision: Precision) -> Iterator[np.ndarray]:
        return synthesis.stream(model, given, synthesis.number([text], seed=1)[0], replace(GREEDY, precision=precision))

    rows = [Row("coqui's `inference_stream`", "fp32", coquis)]
    for each in PRECISIONS:
        speak = functools.partial(ours, precision=each)
        rows.append(Row(f"ours, `precision: {each}`", each, speak))
        rows.append(Row("the same, marked", each, lambda text, speak=speak: mark.mark_stream(speak(text), wav.OUTPUT_RATE_HZ)))
    return rows


def take_turns(model: xtts.Xtts, rows: list[Row], turns: int) -> None:
    """Measure. The rest of a text after its first piece is not generated."""
    for turn, text in enumerate((TEXTS[0], *TEXTS[:turns])):
        for row in rows:
            gpt_decoder.of(model.gpt, row.precision)
            pieces = row.speak(text)
            start = time.perf_counter()
            samples = len(torch.as_tensor(next(pieces)).cpu())  # coqui's is on the device, and may not be ready
            seconds = time.perf_counter() - start
            if turn:
                row.took.append(seconds)
                row.sound_s.append(samples / wav.OUTPUT_RATE_HZ)


def table(rows: list[Row]) -> str:
    """Medians and ranges, as Markdown."""

    def spread(values: list[float]) -> str:
        return f"{statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})"

    lines = [f"| {row.name} | {spread(row.took)} | {statistics.median(row.sound_s):.2f} |" for row in rows]
    return "\n".join(["| | first sound after, s | its length, s |", "|---|---|---|", *lines])


def main() -> None:
    """Speak and print the table."""
    args = parse_args()
    where = device.pick(args.device or params.load("compute", params.Compute).device)
    model = xtts.load_model(args.base, device=where)
    given = xtts.conditioning(model, wav.read(args.reference))
    rows = rows_of(model, given)
    with torch.inference_mode():
        take_turns(model, rows, args.turns)
    weights = sum(weight.numel() for weight in model.gpt.parameters()) / 1e6
    print(f"a GPT of {weights:.0f} M weights; {where}, {torch.get_num_threads()} threads; {args.turns} turns\n")
    print(table(rows))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--turns", type=int, choices=range(1, len(TEXTS) + 1), default=len(TEXTS))
    parser.add_argument("--device", help="auto, cpu or cuda (default: compute.device of params.yaml)")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
