"""Many lines spoken by us and, one after the other, by coqui's `Xtts.inference`: same model, same texts, same codes.

    python -m benchmarks.bench_speak --base FOLDER --reference clip.wav [--lines 16] [--codes 108] [--turns 3] [--device cpu]

Reads   a base or voice folder (`bench_train` makes one of XTTS_v2's sizes), a recording at 22 050 Hz
Writes  a table on stdout, ready for benchmarks/README.md

Every line gets `--codes` codes (108 are 5 s), whatever it would stop at, so that the work is the same; all are greedy. Each row has the
levers of the rows above it. All take turns; coqui and what speaks one line at a time speak one line of the set in each turn, whose time is
multiplied by their number. `--same-sound` compares the sound of each row with coqui's instead, with free codes.

On an accelerator two more rows say what others reach and what the memory allows: an engine on vLLM, and the floor of one line.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks import floor
from voz.audio import wav
from voz.model import device, generation, gpt_decoder, packed, synthesis, xtts
from voz.model.packed import Precision
from voz.pipeline import command, params

TEXTS = (
    "che, ¿vos sabés a qué hora llega el colectivo?",
    "ayer llovió toda la noche y la calle quedó llena de agua.",
    "yo ya te dije que la llave está arriba de la mesa.",
    "dale, nos vemos mañana en lo de guillermo.",
    "bueno muchachos, gracias por la bancada.",
    "mirá, si llegás temprano avisame y te espero en la esquina.",
    "no sabés lo que pasó ayer en la calle corrientes, una locura.",
    "la verdad que estuvo muy lindo el asado, hay que repetirlo.",
)
GREEDY = generation.Sampling(temperature=0.0, top_p=0.85, top_k=50, repetition_penalty=5.0)


@dataclass(frozen=True)
class Way:
    """How lines are spoken.

    rows: in flight. packed: whether matrices are laid out for the processor (a CPU's lever).
    """

    name: str
    rows: int
    packed: bool = True
    precision: Precision = "fp32"


ON_CPU = (
    Way("ours, one line at a time, plain matrices", rows=1, packed=False),
    Way("16 lines in flight", rows=16, packed=False),
    Way("packed matrices (what `precision: fp32` does)", rows=16),
    Way("`precision: bf16`", rows=16, precision="bf16"),
)
ON_ACCELERATOR = (
    Way("ours, one line at a time", rows=1),
    Way("the same, `precision: bf16`", rows=1, precision="bf16"),
    Way("32 lines in flight", rows=32),
    Way("the same, `precision: bf16`: 32 lines", rows=32, precision="bf16"),
)
AURALIS = "| Auralis on vLLM, many lines at a time, an RTX 3090, by [its README](https://github.com/astramind-ai/Auralis) | | 0.02 | |"
H200_BYTES_PER_S = 4.8e12  # NVIDIA's data sheet


def ways(where: torch.device) -> Sequence[Way]:
    """Those that are measured on a device."""
    return ON_CPU if where.type == "cpu" else ON_ACCELERATOR


@contextmanager
def applied(way: Way) -> Iterator[None]:
    """Within this block lines are spoken that way."""
    kept = generation.rows_on, packed.packs
    generation.rows_on = lambda device: way.rows
    if not way.packed:
        packed.packs = lambda dtype: False
    try:
        yield
    finally:
        generation.rows_on, packed.packs = kept


def ours(model: xtts.Xtts, given: xtts.Conditioning, texts: Sequence[str], way: Way) -> list[np.ndarray]:
    """All lines. The decoder has been made before, as for any text after the first."""
    return synthesis.speak(model, given, synthesis.number(texts, seed=1), replace(GREEDY, precision=way.precision))


def coquis(model: xtts.Xtts, given: xtts.Conditioning, text: str) -> np.ndarray:
    """One line, as coqui's own command speaks it."""
    spoken = model.inference(text, "es", given.latents, given.speaker, do_sample=False, repetition_penalty=GREEDY.repetition_penalty)
    pcm: np.ndarray = spoken["wav"]
    return pcm


def timed(run: Callable[[], object], where: torch.device) -> float:
    """Seconds."""
    start = time.perf_counter()
    run()
    if where.type == "cuda":
        torch.cuda.synchronize(where)
    return time.perf_counter() - start


def force_codes(model: xtts.Xtts, codes: int) -> None:
    """Let every line have so many codes: the stop code is never the likeliest, and the limit comes at `codes`."""
    model.gpt.max_gen_mel_tokens = codes
    with torch.no_grad():
        model.gpt.mel_head.bias[model.gpt.stop_audio_token] = -1e4


def take_turns(model: xtts.Xtts, given: xtts.Conditioning, texts: Sequence[str], turns: int) -> dict[str, list[float]]:
    """Seconds for all texts, by way and turn; the first turn warms up and is not counted."""
    took: dict[str, list[float]] = {
        name: [] for name in ("coqui's `Xtts.inference`, line by line", *(way.name for way in ways(model.device)))
    }
    for turn in range(-1, turns):
        text = texts[max(0, turn) % len(texts)]
        found = [timed(lambda text=text: coquis(model, given, text), model.device) * len(texts)]
        for way in ways(model.device):
            with applied(way):
                gpt_decoder.release(model.gpt)
                gpt_decoder.of(model.gpt, way.precision)
                some = texts if way.rows > 1 else [text]  # one at a time: as coqui's
                found.append(timed(lambda way=way, some=some: ours(model, given, some, way), model.device) * len(texts) / len(some))
        if turn >= 0:
            for name, seconds in zip(took, found, strict=True):
                took[name].append(seconds)
    return took


def check_same(model: xtts.Xtts, given: xtts.Conditioning, texts: Sequence[str]) -> str:
    """How far the sound of each way is from coqui's, line by line.

    Raises:
        RuntimeError: one in float32 is not the same.
    """
    stock = [coquis(model, given, text) for text in texts]
    lines = []
    for way in ways(model.device):
        with applied(way):
            gpt_decoder.release(model.gpt)
            apart = [
                float(np.abs(a - b).max()) if len(a) == len(b) else np.inf
                for a, b in zip(ours(model, given, texts, way), stock, strict=True)
            ]
        lines.append(f"| {way.name} | {sum(each < 1e-3 for each in apart)} of {len(texts)} lines within 0.001 of coqui's |")
        if way.precision == "fp32" and max(apart) > 1e-3:
            raise RuntimeError(f"{way.name}: not coqui's sound: {apart}")
    return "\n".join(lines)


def table(took: dict[str, list[float]], speech_s: float) -> str:
    """Median and range of each way, as Markdown."""

    def spread(values: Sequence[float]) -> str:
        return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"

    stock = next(iter(took.values()))
    rows = []
    for name, each in took.items():
        ratio = spread([a / b for a, b in zip(stock, each, strict=True)])
        rows.append(f"| {name} | {spread(each)} | {statistics.median(each) / speech_s:.3f} | {ratio} |")
    return "\n".join(["| each row has the levers above it | s | real-time factor | coqui / this |", "|---|---|---|---|", *rows])


def for_comparison(model: xtts.Xtts) -> str:
    """Rows of what others reach, and of what the memory allows one line."""
    here = floor.bytes_per_s(model.device)
    floors = ((f"a copy here: {here / 1e12:.2f} TB/s", here), (f"an H200: {H200_BYTES_PER_S / 1e12:.1f} TB/s", H200_BYTES_PER_S))
    rows = [
        f"| floor of one line in float32: the GPT's matrices read once for each code ({name}) | | "
        f"{floor.real_time_factor(model.gpt, speed):.3f} | |"
        for name, speed in floors
    ]
    return "\n".join([AURALIS, *rows])


def main() -> None:
    """Speak every way and print the table."""
    args = parse_args()
    where = device.pick(args.device or params.load("compute", params.Compute).device)
    model = xtts.load_model(args.base, device=where)
    given = xtts.conditioning(model, wav.read(args.reference))
    texts = [TEXTS[number % len(TEXTS)] for number in range(args.lines)]
    with torch.inference_mode():
        if args.same_sound:
            model.gpt.max_gen_mel_tokens = args.codes
            print(check_same(model, given, texts[: len(TEXTS)]))
            return
        force_codes(model, args.codes)
        took = take_turns(model, given, texts, args.turns)
    speech_s = args.lines * args.codes * 1024 / wav.SAMPLE_RATE_HZ
    on = f"{where}, {torch.get_num_threads()} threads"
    print(f"{args.lines} lines of {args.codes} codes, {speech_s:.1f} s of speech; {on}; {args.turns} turns\n")
    print(table(took, speech_s))
    if where.type != "cpu":
        print(for_comparison(model))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--lines", type=int, default=16)
    parser.add_argument("--codes", type=int, default=108, help="of each line; 108 are 5 s")
    parser.add_argument("--device", help="auto, cpu or cuda (default: compute.device of params.yaml)")
    parser.add_argument("--same-sound", action="store_true", help="compare the sound instead")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
