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
from voz.model import batches, device, training_material, transcriber, xtts
from voz.model.history import SELECTED, History, Scores
from voz.pipeline import command, files, params

FIGURES = {"cer": -1, "similarity": 1}  # of the test lines, and the direction that is better


@dataclass(frozen=True)
class Run:
    """One training: its history with the eval scores, and the scores of the test lines by evaluation."""

    history: History
    test: list[Scores]


def run(args: argparse.Namespace, p: train.Params) -> Run:
    """Train, and let every epoch speak the eval and the test lines."""
    device.seed_everything(p.seed)
    asr = transcriber.Transcriber(args.asr, torch.device("cpu"))
    model = train.build(args.base, p)
    material = training_material.gather(args.dataset, args.base, min_minutes=0.0)
    material = material.encoded(args.base, torch.device("cpu")).conditioned(model, p.conditioning)
    tested = dataset.read(args.dataset, "test")
    test_clips = batches.load(tested, args.dataset / "wavs", xtts.read_tokenizer(args.base))
    given = {"model": model.xtts, "base_hash": material.base_hash, "asr": asr, "seed": p.seed}
    lines = eval_lines.choose(material.held_out_examples, material.held_out, **given)
    clips = reference.typical(material.examples, material.train, model.xtts, material.base_hash, lines.speaker)
    training = train.training_folder(material, p, asr, clips[0]).name
    depends_on = {"training": training, "test": training_material.hash_of(tested, test_clips)}
    folder = args.folder / f"seed-{p.seed}-{files.combined_hash(depends_on)[:12]}"
    on_eval = epoch_lines.EpochLines(folder, lines, model.xtts, clips[0])
    test_lines = eval_lines.choose(tested, test_clips, count=len(tested), **given)
    on_test = epoch_lines.EpochLines(folder / "test", test_lines, model.xtts, clips[0])
    test: list[Scores] = []

    def listen(epoch: int) -> Scores:
        test.append(on_test.listen(epoch))
        return on_eval.listen(epoch)

    def recall(epoch: int) -> Scores:
        test.append(on_test.recall(epoch))
        return on_eval.recall(epoch)

    loop = train.loop_of(model, material, p, folder, listen, recall, lambda history: None)
    return Run(loop.run(), test)


def by_epoch(found: Run, p: train.Params) -> str:
    """A table of one training."""
    rows = ["| epoch | eval loss | eval CER | eval similarity | test CER | test similarity |", "|---|---|---|---|---|---|"]
    for epoch, (losses, own, test) in enumerate(zip(found.history.eval_losses(p.schedule), found.history.scores, found.test, strict=True)):
        rows.append(f"| {epoch} | {losses['loss']:.3f} | {own.cer:.3f} | {own.similarity:.3f} | {test.cer:.3f} | {test.similarity:.3f} |")
    return "\n".join(rows)


def by_criterion(runs: Sequence[Run], p: train.Params) -> str:
    """What each criterion chooses, and what that is worth on test: means over the trainings."""
    rows = [
        "| chosen by | epochs | test CER | test similarity | rank correlation with test CER, with test similarity |",
        "|---|---|---|---|---|",
    ]
    for select in SELECTED:
        best = [each.history.best_epoch(replace(p, select=select).schedule) for each in runs]
        tests = [each.test[epoch] for each, epoch in zip(runs, best, strict=True)]
        ranks = ", ".join(f"{statistics.mean(agreement(each, p, select, figure) for each in runs):.2f}" for figure in FIGURES)
        rows.append(f"| {select} | {', '.join(map(str, best))} | {means(tests)} | {ranks} |")
    rows.append(f"| the last epoch | | {means([each.test[-1] for each in runs])} | |")
    rows.append(f"| mean of all epochs | | {means([scores for each in runs for scores in each.test[1:]])} | |")
    return "\n".join(rows)


def means(tests: Sequence[Scores]) -> str:
    """Two cells: mean CER and mean similarity."""
    return " | ".join(f"{statistics.mean(getattr(scores, figure) for scores in tests):.3f}" for figure in FIGURES)


def agreement(found: Run, p: train.Params, select: str, figure: str) -> float:
    """Spearman's correlation, over the epochs, of a criterion on eval with a figure on test; 1 = they order the epochs alike."""
    criteria = {
        "loss": [-row["loss"] for row in found.history.eval_losses(p.schedule)],
        "cer": [-scores.cer for scores in found.history.scores],
        "similarity": [scores.similarity for scores in found.history.scores],
    }
    goodness = [FIGURES[figure] * getattr(scores, figure) for scores in found.test]
    return float(scipy.stats.spearmanr(criteria[select][1:], goodness[1:]).statistic)


def main() -> None:
    """Train and compare."""
    args = parse_args()
    p = params.load("train", train.Params)
    runs = [run(args, replace(p, seed=seed, patience=0)) for seed in args.seeds]
    for seed, each in zip(args.seeds, runs, strict=True):
        print(f"\nseed {seed}\n\n{by_epoch(each, p)}")
    print(f"\n{by_criterion(runs, p)}")


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
