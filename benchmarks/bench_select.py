"""By what the epoch should be chosen: loss, CER or similarity on eval, against what the epochs say on test.

    python -m benchmarks.bench_select FOLDER --dataset data/dataset --base models/pocket/xtts --asr models/pocket/whisper.pt \\
        [--seeds 1 2 3]

Reads   the dataset, the base, Whisper, section `train` of params.yaml
Writes  FOLDER (states and spoken lines; run again, it goes on), tables on stdout, ready for benchmarks/README.md

One training per seed. After each epoch the weights that would be exported speak the eval lines, as in the stage, and all test lines,
with the same reference recording. Each criterion then chooses an epoch on eval, and the test figures of that epoch are compared.
"""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import scipy.stats
import torch

from stages import train
from voz.data import dataset
from voz.metrics import epoch_lines, eval_lines, reference
from voz.model import batches, clip_features, device, gpt_trainer, training_loop, transcriber, xtts
from voz.model.history import SELECTED, History, Scores
from voz.pipeline import command, params


@dataclass(frozen=True)
class Run:
    """One training: its history with the eval scores, and the scores of the test lines by evaluation."""

    history: History
    test: list[Scores]


def run(args: argparse.Namespace, p: train.Params) -> Run:
    """Train, and let every epoch speak the eval and the test lines."""
    device.seed_everything(p.seed)
    folder, asr = args.folder / f"seed-{p.seed}", transcriber.Transcriber(args.asr, torch.device("cpu"))
    material = train.gather(args.dataset, args.base, min_minutes=0.0)
    material = train.encoded(material, args.base, torch.device("cpu"))
    model = gpt_trainer.build(args.base, lr=p.lr, weight_decay=p.weight_decay, betas=p.betas, eps=p.eps)
    model.learning(False)
    if p.conditioning == "other_clip":
        material = replace(material, train=clip_features.with_latents(material.train, model.xtts, material.base_hash))
    held_out, tested = (dataset.read(args.dataset, split) for split in ("eval", "test"))
    test_clips = batches.load(tested, args.dataset / "wavs", xtts.read_tokenizer(args.base))
    given = {"model": model.xtts, "base_hash": material.base_hash, "asr": asr, "seed": p.seed}
    lines = eval_lines.choose(held_out, material.held_out, **given)
    clips = reference.typical(material.examples, material.train, model.xtts, material.base_hash, lines.speaker)
    on_eval = epoch_lines.EpochLines(folder, lines, model.xtts, clips[0])
    test_lines = eval_lines.choose(tested, test_clips, count=len(tested), **given)
    on_test = epoch_lines.EpochLines(folder / "test", test_lines, model.xtts, clips[0])
    test: list[Scores] = []

    def listen(epoch: int) -> Scores:
        test.append(on_test.listen(epoch))
        return on_eval.listen(epoch)

    loop = training_loop.TrainingLoop(
        model,
        material.train,
        material.held_out,
        p.schedule,
        folder=folder,
        device=torch.device("cpu"),
        listen=listen,
        on_epoch=lambda history: None,
    )
    return Run(loop.run(), test)


def by_epoch(found: Run, p: train.Params) -> str:
    """A table of one training."""
    rows = ["| epoch | eval loss | eval CER | eval similarity | test CER | test similarity |", "|---|---|---|---|---|---|"]
    for epoch, (losses, own, test) in enumerate(zip(found.history.eval_losses(p.schedule), found.history.scores, found.test, strict=True)):
        rows.append(f"| {epoch} | {losses['loss']:.3f} | {own.cer:.3f} | {own.similarity:.3f} | {test.cer:.3f} | {test.similarity:.3f} |")
    return "\n".join(rows)


def chosen(runs: Sequence[Run], p: train.Params) -> str:
    """What each criterion chooses, and what that is worth on test: means over the trainings."""
    rows = [
        "| chosen by | epochs | test CER | test similarity | rank correlation with test CER, with test similarity |",
        "|---|---|---|---|---|",
    ]
    for select in SELECTED:
        best = [each.history.best_epoch(replace(p, select=select).schedule) for each in runs]
        cer, similarity = (
            statistics.mean(figure(each.test[at]) for each, at in zip(runs, best, strict=True)) for figure in (_cer, _similarity)
        )
        ranks = " | ".join(f"{statistics.mean(_rank(each, p, select, figure) for each in runs):.2f}" for figure in (_cer, _similarity))
        rows.append(f"| {select} | {', '.join(map(str, best))} | {cer:.3f} | {similarity:.3f} | {ranks.replace(' | ', ', ')} |")
    for name, at in (("the last epoch", -1), ("mean of all epochs", None)):
        tests = [each.test[1:] if at is None else [each.test[at]] for each in runs]
        cer, similarity = (statistics.mean(statistics.mean(map(figure, test)) for test in tests) for figure in (_cer, _similarity))
        rows.append(f"| {name} | | {cer:.3f} | {similarity:.3f} | |")
    return "\n".join(rows)


def _rank(found: Run, p: train.Params, select: str, figure: "type[_cer]") -> float:  # type: ignore[valid-type]
    """Spearman's correlation, over the epochs, of a criterion (better = higher) with a test figure (better = higher)."""
    losses, better = [-row["loss"] for row in found.history.eval_losses(p.schedule)], -1.0 if figure is _cer else 1.0
    criterion = {
        "loss": losses,
        "cer": [-each.cer for each in found.history.scores],
        "similarity": [each.similarity for each in found.history.scores],
    }
    return float(scipy.stats.spearmanr(criterion[select][1:], [better * figure(each) for each in found.test[1:]]).statistic)


def _cer(scores: Scores) -> float:
    return scores.cer


def _similarity(scores: Scores) -> float:
    return scores.similarity


def main() -> None:
    """Train and compare."""
    args = parse_args()
    p = params.load("train", train.Params)
    runs = [run(args, replace(p, seed=seed, patience=0)) for seed in args.seeds]
    for seed, each in zip(args.seeds, runs, strict=True):
        print(f"\nseed {seed}\n\n{by_epoch(each, p)}")
    print(f"\n{chosen(runs, p)}")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where states and spoken lines go")
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--asr", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
