"""Draw what more minutes of speech bring, from experiments with other values of `train.max_minutes`.

    git add -A
    dvc exp run --queue -S 'train.max_minutes=1,2,4,0' -S train.select=loss -S train.epochs=20 -S train.patience=2 \\
        -S train.lr=1e-4 -S train.grad_accumulation=1            # the last two for the demo
    dvc queue start -j 2                                     # and when they are done:
    python -m benchmarks.curve_of_minutes docs/minutes.svg

Reads   the experiments of this checkout's last commit (`dvc exp show`)
Writes  the picture; a table on stdout, ready for docs/choosing.md

Loss, character errors and likeness are of eval and test clips that no training has seen; fewer minutes are a part of more.
"""

import argparse
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from voz.pipeline import command

TRAIN, EVALUATE = "reports/train.json", "reports/evaluate.json"
PANELS = {
    "loss on test clips, nats": ("loss",),
    "character errors": ("cer",),
    "cosine to the speaker": ("similarity", "similarity_resemblyzer"),
    "⟨ll, y⟩ spoken as [ʃ]": ("sheismo",),
}
LABELS = {"similarity": "XTTS's own encoder", "similarity_resemblyzer": "Resemblyzer"}
COLUMNS = ("loss", "cer", "similarity", "similarity_resemblyzer", "sheismo")


def experiments() -> Iterator[str]:
    """The commits of this checkout's finished experiments.

    Raises:
        UserError: DVC says why there are none.
    """
    shown = subprocess.run(["dvc", "exp", "show", "--json"], capture_output=True, text=True, check=False)
    if shown.returncode:
        raise command.UserError(shown.stderr.strip().splitlines()[-1])
    for baseline in json.loads(shown.stdout):
        for experiment in baseline.get("experiments") or []:
            if (experiment.get("executor") or {}).get("state") in (None, "success"):
                yield experiment["revs"][0]["rev"]


def read(rev: str, path: str) -> dict[str, Any]:
    """A metrics file of an experiment."""
    shown = subprocess.run(["git", "show", f"{rev}:{path}"], capture_output=True, text=True, check=True)
    values: dict[str, Any] = json.loads(shown.stdout)
    return values


def draw(rows: list[dict[str, Any]], picture: Path) -> None:
    """A panel for each kind of figure, the base as a dashed line."""
    figure, panels = plt.subplots(1, len(PANELS), figsize=(3.2 * len(PANELS), 3.0), layout="constrained")
    minutes = [row["train"]["train_minutes"] for row in rows]
    for axes, (title, names) in zip(panels, PANELS.items(), strict=True):
        for name, color in zip(names, ("#1f5fbf", "#c2571a"), strict=False):
            values = [row["evaluate"]["fine_tuned"][name]["mean"] for row in rows]
            axes.plot(minutes, values, "o-", color=color, label=LABELS.get(name))
            axes.axhline(rows[0]["evaluate"]["base"][name]["mean"], color=color, linestyle="--", linewidth=1)
        axes.set_xscale("log", base=2)
        axes.set_xticks(minutes, [f"{each:.1f}" for each in minutes])
        axes.minorticks_off()
        axes.set_xlabel("minutes of speech")
        axes.set_title(title, fontsize=10)
        axes.grid(visible=True, alpha=0.3)
        if len(names) > 1:
            axes.legend(fontsize=8)
    figure.savefig(picture, metadata={"Date": None})


def main() -> None:
    """Draw the picture and print the table."""
    args = parse_args()
    plt.rcParams["svg.hashsalt"] = "voz"  # same numbers, same bytes
    rows = [{"train": read(rev, TRAIN), "evaluate": read(rev, EVALUATE)} for rev in experiments()]
    if not rows:
        raise command.UserError("no finished experiment of this commit", "see `dvc queue status`, and --help")
    rows.sort(key=lambda row: row["train"]["train_minutes"])
    print("| minutes | clips | best epoch (updates of the whole training) | loss | CER | similarity | Resemblyzer | sheísmo |")
    print("|---|---|---|---|---|---|---|---|")
    base = [f"{rows[0]['evaluate']['base'][name]['mean']:.3f}" for name in COLUMNS]
    print(f"| base | – | – | {' | '.join(base)} |")
    for row in rows:
        trained, cells = row["train"], [f"{row['evaluate']['fine_tuned'][name]['mean']:.3f}" for name in COLUMNS]
        length = f"{trained['train_minutes']:.1f} | {trained['train_clips']} | {trained['best_epoch']} ({trained['updates']})"
        print(f"| {length} | {' | '.join(cells)} |")
    draw(rows, args.picture)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="an SVG")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
