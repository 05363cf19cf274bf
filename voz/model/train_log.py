"""The record of a training: curves while it runs, an eval line spoken after each epoch, tables at the end."""

import csv
import io
import logging
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from dvclive.live import Live

from voz.audio import wav
from voz.model import batches, synthesis, training_loop, xtts
from voz.model.batches import Sample
from voz.model.generation import Sampling
from voz.model.gpt_trainer import Trainer
from voz.pipeline.files import write_json, write_text

LIVE = "live"  # DVCLive's folder in reports/epochs
DIGITS = 6  # of numbers in git: further ones would be noise in a diff


class TrainLog:
    """Logs each evaluation of a training, the base's included: losses, and a spoken line.

    The line is the text of the shortest eval clip, conditioned on that clip, with the sampling settings of the base's `config.json`.

    Args:
        training: the folder of the training, where the spoken lines stay: each needs the weights of its epoch.
        epochs: the stage's output folder, empty.
        texts: the text of each eval clip, by id.
    """

    def __init__(
        self,
        training: Path,
        epochs: Path,
        trainer: Trainer,
        schedule: training_loop.Schedule,
        held_out: Sequence[Sample],
        texts: dict[str, str],
    ) -> None:
        self.training, self.epochs, self.trainer, self.schedule = training, epochs, trainer, schedule
        self.sample = min(held_out, key=lambda s: (s.length, s.id))
        self.line = synthesis.Line(text=texts[self.sample.id], seed=schedule.seed)
        logging.getLogger("dvclive").setLevel(logging.ERROR)
        self.live = Live(str(epochs / LIVE), dvcyaml=False, save_dvc_exp=False)
        self.logged = 0

    def __call__(self, history: training_loop.History) -> None:
        """Log the latest evaluation and the updates before it, and speak the line unless an earlier process did."""
        epoch = len(history.clips) - 1
        self._log(history, epoch)
        path = self.training / wav_name(epoch)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            wav.write(path, self._speak(), rate_hz=wav.OUTPUT_RATE_HZ)

    def _log(self, history: training_loop.History, epoch: int) -> None:
        """Log the updates of an epoch, and its evaluation at the last of them."""
        for number, (text, mel) in enumerate(history.updates[self.logged :], start=self.logged + 1):
            self.live.step = number
            self.live.log_metric("train/text", round(text, DIGITS))
            self.live.log_metric("train/mel", round(mel, DIGITS))
        self.logged = len(history.updates)
        self.live.step = self.logged
        for name, value in history.eval_losses(self.schedule)[epoch].items():
            self.live.log_metric(f"eval/{name}", round(value, DIGITS))
        self.live.make_summary()

    def _speak(self) -> np.ndarray:
        """The line with the present weights. float32 in [-1, 1] at 24 000 Hz [T]"""
        self.trainer.learning(False)
        model = self.trainer.xtts
        config = model.config
        sampling = Sampling(
            temperature=config.temperature,
            top_p=config.top_p,
            top_k=config.top_k,
            repetition_penalty=float(config.repetition_penalty),
        )
        conditioning = xtts.conditioning(model, batches.pcm(self.sample))
        return synthesis.speak(model, conditioning, [self.line], sampling, label="eval line")[0]

    def report(self, history: training_loop.History) -> None:
        """Write `epochs.json` (per epoch: losses, losses by clip, the line's file) and the spoken lines into the output folder."""
        rows = []
        for epoch, losses in enumerate(history.eval_losses(self.schedule)):
            shutil.copyfile(self.training / wav_name(epoch), self.epochs / wav_name(epoch))
            clips = {name: {"text": values[0], "mel": values[1]} for name, values in history.clips[epoch].items()}
            rows.append({"epoch": epoch, **losses, "wav": wav_name(epoch), "clips": clips})
        line = {"id": self.sample.id, "text": self.line.text}
        write_json(self.epochs / "epochs.json", {"best_epoch": history.best_epoch(self.schedule), "line": line, "epochs": rows})


def wav_name(epoch: int) -> str:
    """File name of the line spoken after an epoch, 24 000 Hz."""
    return f"epoch-{epoch:02d}.wav"


def write_curves(folder: Path, history: training_loop.History, schedule: training_loop.Schedule) -> None:
    """Write `train.csv` (a row per update) and `eval.csv` (a row per epoch, at its last update), losses in nats per token.

    Both have the column `update`, so that `dvc plots` draws them over one axis.
    """
    weight = schedule.text_loss_weight, schedule.mel_loss_weight
    evaluations = history.eval_losses(schedule)
    per_epoch = len(history.updates) // max(1, len(evaluations) - 1)
    train = ([number, text, mel, weight[0] * text + weight[1] * mel] for number, (text, mel) in enumerate(history.updates, start=1))
    held_out = ([epoch * per_epoch, epoch, row["text"], row["mel"], row["loss"]] for epoch, row in enumerate(evaluations))
    _write_csv(folder / "train.csv", ["update", "text", "mel", "loss"], train)
    _write_csv(folder / "eval.csv", ["update", "epoch", "text", "mel", "loss"], held_out)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[float]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([value if isinstance(value, int) else f"{value:.{DIGITS}f}" for value in row] for row in rows)
    write_text(path, text.getvalue())
