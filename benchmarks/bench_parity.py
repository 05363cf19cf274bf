"""Whether the shortcuts of a training cost anything: the same updates of the pocket base without them and with one after the other.

    python -m benchmarks.bench_parity FOLDER --dataset data/dataset --base models/pocket/xtts [--updates 200] [--lr 1e-4]

Reads   the dataset's train and eval clips, the base, section `train` of params.yaml
Writes  FOLDER (codes, states); a table on stdout, ready for benchmarks/README.md

Same clips, order, seed and rate; an update is one of the recipe's, of two clips. Compared are the mean loss of the last 50 updates and
the eval loss after the last one. `other_clip` is no shortcut of the same training but another one; it is the plain one of its own.
"""

import argparse
import statistics
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState

from benchmarks.bench_conditioning import unheard
from benchmarks.bench_train import make_plain
from stages import train
from voz.model import device, training_material
from voz.model.training_material import Material
from voz.pipeline import command, params

LAST = 50


@dataclass(frozen=True)
class Way:
    """A training; `plain` is torch's AdamW for each tensor and GPT-2's own GELU, see `gpt_trainer.build`."""

    name: str
    plain: bool
    precision: str
    conditioning: str


WAYS = (
    Way("same_clip, plain", True, "fp32", "same_clip"),
    Way("same_clip, fused AdamW and GELU", False, "fp32", "same_clip"),
    Way("same_clip, bf16", False, "bf16", "same_clip"),
    Way("other_clip, plain", True, "fp32", "other_clip"),
    Way("other_clip, fused AdamW and GELU", False, "fp32", "other_clip"),
    Way("other_clip, bf16", False, "bf16", "other_clip"),
)


def losses(way: Way, material: Material, p: train.Params, base: Path, folder: Path) -> tuple[float, float]:
    """The mean loss of the last updates, and the eval loss at the end."""
    AcceleratorState._reset_state(reset_partial_state=True)  # else the first precision stays
    device.seed_everything(p.seed)
    p = replace(p, precision=way.precision, conditioning=way.conditioning)
    model = train.build(base, p)
    with tempfile.TemporaryDirectory(dir=folder) as states:
        loop = unheard(model, material, p, Path(states))
        if way.plain:
            make_plain(model, loop.updates)
        history = loop.run()
    trained = [p.text_loss_weight * each[0] + p.mel_loss_weight * each[1] for each in history.updates[-LAST:] if each]
    return statistics.mean(trained), history.eval_losses(p.schedule)[-1]["loss"]


def main() -> None:
    """Train every way and print the table."""
    args = parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    p = replace(params.load("train", train.Params), batch_size=2, grad_accumulation=1, lr=args.lr)
    p = replace(p, epochs=1_000, max_steps=args.updates, select="loss", patience=0)
    model = train.build(args.base, p)
    material = training_material.gather(args.dataset, args.base, min_minutes=0.0).encoded(args.base, torch.device("cpu"))
    material = material.conditioned(model, "other_clip")
    found = {way: losses(way, material, p, args.base, args.folder) for way in WAYS}
    print(f"\n{len(material.train)} clips, {args.updates} updates\n")
    print(f"| | loss, last {LAST} updates | apart | eval loss | apart |\n|---|---|---|---|---|")
    for way, (trained, evaluated) in found.items():
        plain = next(found[each] for each in WAYS if each.plain and each.conditioning == way.conditioning)
        print(f"| {way.name} | {trained:.4f} | {trained / plain[0] - 1:+.2%} | {evaluated:.4f} | {evaluated / plain[1] - 1:+.2%} |")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where states go")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--lr", type=float, default=1e-4, help="half of the demo's, whose updates are of eight clips")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
