"""Lines spoken in one batch against coqui's `Xtts.inference`, one line after the other: same model, same texts, same codes.

    python -m benchmarks.bench_speak --base models/pocket/xtts --reference clip.wav [--repeats 5] [--max-codes 215]

Reads   a base or voice folder, a recording at 22 050 Hz
Writes  a table on stdout, ready for benchmarks/README.md

Both are greedy, so both speak the same codes (checked here) and the time is the only difference. coqui has no bound but
the model's 602 codes: `--max-codes` bounds both, so that a base that does not stop yet is measured at a usual length.
The two take turns, first one then the other first; a ratio is taken within each turn.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from voz.audio import wav
from voz.model import device, generation, synthesis, xtts
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
class Turn:
    """One run of both. Seconds of work, and seconds of speech made by each."""

    ours_s: float
    coqui_s: float
    speech_s: float


def ours(model: xtts.Xtts, given: xtts.Conditioning, texts: tuple[str, ...]) -> list[np.ndarray]:
    """All lines at once."""
    return synthesis.speak(model, given, synthesis.number(texts, seed=1), GREEDY)


def coquis(model: xtts.Xtts, given: xtts.Conditioning, texts: tuple[str, ...]) -> list[np.ndarray]:
    """One line after the other, as coqui's own command does."""
    penalty = GREEDY.repetition_penalty
    return [model.inference(text, "es", given.latents, given.speaker, do_sample=False, repetition_penalty=penalty)["wav"] for text in texts]


def timed(run: Callable[[], list[np.ndarray]]) -> tuple[float, list[np.ndarray]]:
    """Seconds, and what was spoken (on the CPU, so the accelerator has finished)."""
    start = time.perf_counter()
    wavs = run()
    return time.perf_counter() - start, wavs


def take_turns(model: xtts.Xtts, given: xtts.Conditioning, texts: tuple[str, ...], repeats: int) -> list[Turn]:
    """Run both `repeats` times after one warm-up and check that they speak the same.

    Raises:
        RuntimeError: they do not.
    """
    turns = []
    for number in range(-1, repeats):
        pair = [lambda: ours(model, given, texts), lambda: coquis(model, given, texts)]
        order = (0, 1) if number % 2 else (1, 0)
        found = {which: timed(pair[which]) for which in order}
        apart = [float(np.abs(a - b).max()) if len(a) == len(b) else np.inf for a, b in zip(found[0][1], found[1][1], strict=True)]
        if max(apart) > 1e-3:
            raise RuntimeError(f"the two speak differently: {apart}")
        if number >= 0:
            turns.append(Turn(found[0][0], found[1][0], sum(len(pcm) for pcm in found[0][1]) / wav.OUTPUT_RATE_HZ))
    return turns


def table(turns: list[Turn], where: str, lines: int) -> str:
    """Median, least and greatest of each, as Markdown."""

    def spread(values: list[float], form: str) -> str:
        return f"{np.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"

    rows = {"coqui `Xtts.inference`, line by line": [t.coqui_s for t in turns], "ours, one batch": [t.ours_s for t in turns]}
    speech_s = turns[0].speech_s
    lines_of = [f"| {name} | {spread(took, '.2f')} | {spread([s / speech_s for s in took], '.3f')} |" for name, took in rows.items()]
    head = f"{lines} lines, {speech_s:.1f} s of speech, {where}; median (least to greatest) of {len(turns)} turns"
    ratio = f"| coqui / ours | {spread([turn.coqui_s / turn.ours_s for turn in turns], '.2f')} | |"
    return "\n".join([head, "", "| | s | RTF |", "|---|---|---|", *lines_of, ratio])


def main() -> None:
    """Run both and print the table."""
    args = parse_args()
    compute = params.load("compute", params.Compute)
    model = xtts.load_model(args.base, device=device.pick(compute.device))
    model.gpt.max_gen_mel_tokens = min(model.gpt.max_gen_mel_tokens, args.max_codes)
    given = xtts.conditioning(model, wav.read(args.reference))
    texts = TEXTS[: args.lines]
    with torch.inference_mode():
        turns = take_turns(model, given, texts, args.repeats)
    print(table(turns, f"{model.device}, {torch.get_num_threads()} threads", len(texts)))


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--lines", type=int, default=len(TEXTS), choices=range(1, len(TEXTS) + 1))
    parser.add_argument("--max-codes", type=int, default=215, help="215 codes are 10 s")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
