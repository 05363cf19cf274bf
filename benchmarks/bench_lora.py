"""Full fine-tuning against LoRA of several ranks and rates: eval loss, CER and similarity of the eval lines, size of the voice.

    python -m benchmarks.bench_lora FOLDER --dataset data/dataset --base models/pocket/xtts --asr models/pocket/whisper.pt \\
        [--ranks 4 16 64] [--rates 2e-4 1e-3 5e-3] [--full-rates 2e-4] [--alpha-per-rank 2] [--epochs 10]

Reads   the dataset, the base, Whisper, section `train` of params.yaml
Writes  FOLDER (states and spoken lines; run again, it goes on), a table on stdout, ready for benchmarks/README.md

One training for each rate of `full`, and for each rank and rate of `lora`; everything else is as in params.yaml. Each row is of the
epoch that `train.select` chooses. The time is that of the updates, without the evaluations.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState

from stages import train
from voz.metrics import epoch_lines, eval_lines, reference
from voz.model import device, learned, stored, training_loop, training_material, transcriber
from voz.pipeline import command, params

HEADER = """| method | rate | epoch | eval loss | eval CER | eval similarity | learns | stored | update |
|---|---|---|---|---|---|---|---|---|"""


def grid(args: argparse.Namespace, p: train.Params) -> Iterator[train.Params]:
    """The parameters of each training."""
    p = replace(p, epochs=args.epochs or p.epochs)
    for rate in args.full_rates:
        yield replace(p, method="full", lr=rate)
    for rank in args.ranks:
        for rate in args.rates:
            yield replace(p, method="lora", lora_rank=rank, lora_alpha=args.alpha_per_rank * rank, lr=rate)


def run(args: argparse.Namespace, p: train.Params) -> str:
    """Train, and the row of it."""
    AcceleratorState._reset_state(reset_partial_state=True)  # Accelerate keeps one precision per process
    device.seed_everything(p.seed)
    where, asr = torch.device("cpu"), transcriber.Transcriber(args.asr, torch.device("cpu"))
    model = train.build(args.base, p)
    material = training_material.gather(args.dataset, args.base, min_minutes=0.0)
    material = material.encoded(args.base, where).conditioned(model, p.conditioning)
    lines = eval_lines.choose(material.held_out_examples, material.held_out, model.xtts, material.base_hash, asr, seed=p.seed)
    clips = reference.typical(material.examples, material.train, model.xtts, material.base_hash, lines.speaker)
    folder = args.folder / f"{p.method}-{train.training_folder(material, p, asr, clips[0]).name}"
    spoken = epoch_lines.EpochLines(folder, lines, model.xtts, clips[0])
    return row(train.loop_of(model, material, p, folder, spoken.listen, spoken.recall, lambda history: None), p)


def row(loop: training_loop.TrainingLoop, p: train.Params) -> str:
    """Train to the end, and what came of it."""
    history = loop.run()
    best = history.best_epoch(p.schedule)
    loss, scores = history.eval_losses(p.schedule)[best]["loss"], history.scores[best]
    parts = learned.of(loop.gpt)
    learning = sum(weight.numel() for weight in parts.trained.values())
    size = sum(weight.numel() * weight.element_size() for weight in parts.stored(stored.DTYPES[p.export_dtype]).values())
    name = f"lora {p.lora_rank}, alpha {p.lora_alpha:g}" if p.adapters else "full"
    update = f"{loop.pace.update_s:.2f} s" if loop.pace.updates else "–"
    figures = f"{loss:.4f} | {scores.cer:.3f} | {scores.similarity:.3f} | {learning / 1e6:.2f} M | {size / 1e6:.2f} MB | {update}"
    return f"| {name} | {p.lr:g} | {best} | {figures} |"


def main() -> None:
    """Train the grid and print its table, a row after each training."""
    args = parse_args()
    p = params.load("train", train.Params)
    print(HEADER)
    for each in grid(args, p):
        print(run(args, each), flush=True)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where states and spoken lines go")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--asr", type=Path, required=True)
    parser.add_argument("--ranks", type=int, nargs="*", default=[4, 16, 64])
    parser.add_argument("--rates", type=float, nargs="*", default=[2e-4, 1e-3, 5e-3])
    parser.add_argument("--full-rates", type=float, nargs="*", default=[2e-4])
    parser.add_argument("--alpha-per-rank", type=float, default=2.0)
    parser.add_argument("--epochs", type=int, default=0, help="default: as in params.yaml")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
