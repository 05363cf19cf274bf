"""What an epoch of fine-tuning costs and brings: the clip's own slice as its voice (coqui's recipe) against another clip's latents.

    python -m benchmarks.bench_conditioning FOLDER --dataset data/dataset --base models/pocket/xtts [--epochs 8] [--turns 3]

Reads   the dataset's train and eval clips, the base, section `train` of params.yaml
Writes  FOLDER (codes, states); tables on stdout, ready for benchmarks/README.md

Both are `voz.model.training_loop` with the same clips, order and rate: `train.conditioning` same_clip and other_clip. Turn by turn the
updates of one epoch of each are timed, and the latents that `other_clip` computes once before the first. Then both run all epochs.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stages import train
from voz.model import batches, device, gpt_trainer, training_loop, training_material, xtts
from voz.model.history import Scores
from voz.model.training_material import Material
from voz.pipeline import command, params

WAYS = ("same_clip", "other_clip")


@dataclass(frozen=True)
class Run:
    """One training: seconds in updates, eval losses by epoch (0 = the base)."""

    update_s: float
    losses: list[float]


def unheard(model: gpt_trainer.Trainer, material: Material, p: train.Params, folder: Path) -> training_loop.TrainingLoop:
    """A training on the CPU whose eval lines nobody speaks, not begun."""
    silent = Scores(0.0, 0.0, ())
    return train.loop_of(model, material, p, folder, lambda epoch: silent, lambda epoch: silent, lambda history: None)


def run(material: Material, p: train.Params, base: Path, folder: Path) -> Run:
    """Train from the base in a fresh folder."""
    device.seed_everything(p.seed)
    model = train.build(base, p)
    with tempfile.TemporaryDirectory(dir=folder) as states:
        loop = unheard(model, material, p, Path(states))
        history = loop.run()
    return Run(loop.pace.seconds, [row["loss"] for row in history.eval_losses(p.schedule)])


def latents_s(model: gpt_trainer.Trainer, samples: list[batches.Sample]) -> float:
    """Seconds that the latents of `other_clip` take, once, before the first epoch."""
    start = time.monotonic()
    for sample in samples:
        xtts.conditioning(model.xtts, batches.pcm(sample))
    return time.monotonic() - start


def span(values: list[float], digits: int) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    """Time the turns, then train to the end."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    p = params.load("train", train.Params)
    model = train.build(args.base, p)
    material = training_material.gather(args.dataset, args.base, min_minutes=p.min_minutes)
    material = material.encoded(args.base, torch.device("cpu")).conditioned(model, "other_clip")
    clips = material.train
    one = {way: replace(p, epochs=1, conditioning=way) for way in WAYS}
    turns = [{way: run(material, one[way], args.base, args.folder).update_s for way in WAYS} for _ in range(args.turns)]
    once = [latents_s(model, clips) for _ in range(args.turns)]
    print(f"\n{len(clips)} clips, {args.turns} turns; the latents of other_clip, once: {span(once, 1)} s\n")
    print("| conditioning | an epoch, s |\n|---|---|")
    for way in WAYS:
        print(f"| {way} | {span([turn[way] for turn in turns], 1)} |")
    print(f"| same_clip / other_clip | **{span([turn['same_clip'] / turn['other_clip'] for turn in turns], 2)}** |")
    whole = {way: run(material, replace(p, epochs=args.epochs, conditioning=way), args.base, args.folder) for way in WAYS}
    print(f"\n| eval loss after epoch | {' | '.join(map(str, range(args.epochs + 1)))} |\n|{'---|' * (args.epochs + 2)}")
    for way in WAYS:
        print(f"| {way} | {' | '.join(f'{loss:.3f}' for loss in whole[way].losses)} |")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where states go")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--turns", type=int, default=3)
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
