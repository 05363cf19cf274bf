"""The record of a training: curves while it runs, tables and a few lines for a person at the end."""

import logging
from collections.abc import Iterable
from pathlib import Path

from dvclive.live import Live
from tqdm import tqdm

from voz.model.history import SELECTED, History
from voz.model.schedule import Schedule
from voz.pipeline import files
from voz.pipeline.language import tr

LIVE = "live"  # DVCLive's folder in reports/epochs
DIGITS = 6  # of numbers in git: further ones would be noise in a diff


class TrainLog:
    """Logs each evaluation of a training, the base's included, and prints the signs of overfitting when they show.

    Args:
        epochs: the stage's output folder, empty.
    """

    def __init__(self, epochs: Path, schedule: Schedule) -> None:
        self.schedule = schedule
        logging.getLogger("dvclive").setLevel(logging.ERROR)
        self.live = Live(str(epochs / LIVE), dvcyaml=False, save_dvc_exp=False)
        self.logged = 0
        self.warned: list[str] = []

    def __call__(self, history: History) -> None:
        """Log the latest evaluation and the updates before it."""
        for number, update in enumerate(history.updates[self.logged :], start=self.logged + 1):
            self.live.step = number
            if update is not None:
                self.live.log_metric("train/text", round(update[0], DIGITS))
                self.live.log_metric("train/mel", round(update[1], DIGITS))
        self.logged = len(history.updates)
        self.live.step = self.logged
        for name, value in evaluations(history, self.schedule)[-1].items():
            self.live.log_metric(f"eval/{name}", round(value, DIGITS))
        self.live.make_summary()
        for line in history.overfitting(self.schedule):
            if line not in self.warned:
                self.warned.append(line)
                tqdm.write(tr("train: {line}", line=line))


def evaluations(history: History, schedule: Schedule) -> list[dict[str, float]]:
    """What each evaluation measured: `text`, `mel` and `loss`, `cer` and `similarity`, and `sheismo` if that could be."""
    rows = zip(history.eval_losses(schedule), history.scores, strict=True)
    return [
        losses | {"cer": scores.cer, "similarity": scores.similarity} | ({} if scores.sheismo is None else {"sheismo": scores.sheismo})
        for losses, scores in rows
    ]


def write_curves(folder: Path, history: History, schedule: Schedule, *, clips: int) -> None:
    """Write `train.csv` (a row per update that was not skipped) and, with a row per epoch, `eval.csv`, `cer.csv`, `similarity.csv` and
    `sheismo.csv`, which has no rows where that was not measured.

    Losses are in nats per token. All have the column `update`, so that `dvc plots` draws them over one axis; it draws the last column.

    Args:
        clips: of the train split.
    """
    weight = schedule.text_loss_weight, schedule.mel_loss_weight
    updates = [(number, *update) for number, update in enumerate(history.updates, start=1) if update is not None]
    train = ([number, text, mel, weight[0] * text + weight[1] * mel] for number, text, mel in updates)
    per_epoch, rows = schedule.updates_per_epoch(clips), evaluations(history, schedule)
    _write_csv(folder / "train.csv", ["update", "text", "mel", "loss"], train)
    for name, columns in (("eval", ["text", "mel", "loss"]), ("cer", ["cer"]), ("similarity", ["similarity"]), ("sheismo", ["sheismo"])):
        table = (
            [min(epoch * per_epoch, len(history.updates)), epoch, *(row[c] for c in columns)]
            for epoch, row in enumerate(rows)
            if columns[0] in row
        )
        _write_csv(folder / f"{name}.csv", ["update", "epoch", *columns], table)


def print_outcome(history: History, schedule: Schedule, *, stored_as: str, stored_loss: float, reference: str) -> None:
    """A few lines for a person.

    Args:
        stored_as: the precision of the voice's file; `stored_loss` is the eval loss of these weights.
        reference: id of the clip that was chosen.
    """
    rows, best = evaluations(history, schedule), history.best_epoch(schedule)
    figures = ", ".join(f"{name} {rows[best][name]:.4f} (base {rows[0][name]:.4f})" for name in ("loss", "cer", "similarity"))
    print(
        tr(
            "train: epoch {best} of {epochs} has the best {select}: {figures}; reference {reference}",
            best=best,
            epochs=len(rows) - 1,
            select=tr(SELECTED[schedule.select]),
            figures=figures,
            reference=reference,
        )
    )
    print(
        tr(
            "train: stored in {dtype}: eval loss {loss:.4f} ({difference:+.1e})",
            dtype=stored_as,
            loss=stored_loss,
            difference=stored_loss - rows[best]["loss"],
        )
    )
    if rows[best]["loss"] >= rows[0]["loss"]:
        print(tr("train: the chosen epoch is not better than the base on eval: lower train.lr, or add notes"))
    if history.skipped():
        print(tr("train: {count} updates were left out, as their loss was not finite", count=history.skipped()))


def _write_csv(path: Path, header: list[str], rows: Iterable[list[float]]) -> None:
    cells = ([value if isinstance(value, int) else f"{value:.{DIGITS}f}" for value in row] for row in rows)
    files.write_text(path, files.csv_text([header, *cells]))
