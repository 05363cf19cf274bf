"""What is told about a training: curves while it goes, an eval line spoken after each epoch, tables when it is done."""

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
from voz.model.gpt_trainer import Trainer
from voz.pipeline.files import write_json, write_text

LIVE = "live"  # DVCLive's folder within reports/epochs
DIGITS = 6  # of numbers in git: the last bits of a float are noise in a diff


class TrainLog:
    """Called after each evaluation of a training (0 = the base).

    The spoken line is the shortest eval clip's text in that clip's own voice, sampled as the base's `config.json` says.

    Args:
        scratch: folder of the training; the spoken lines are kept there, as each needs its own epoch's weights.
        epochs: folder of the report, emptied by the caller.
        texts: the text of each eval clip.
    """

    def __init__(
        self,
        scratch: Path,
        epochs: Path,
        trainer: Trainer,
        schedule: training_loop.Schedule,
        held_out: Sequence[Sample],
        texts: dict[str, str],
    ) -> None:
        self.scratch, self.epochs, self.trainer, self.schedule = scratch, epochs, trainer, schedule
        self.sample = min(held_out, key=lambda s: (s.length, s.id))
        self.line = synthesis.Line(text=texts[self.sample.id], seed=schedule.seed)
        logging.getLogger("dvclive").setLevel(logging.ERROR)
        self.live = Live(str(epochs / LIVE), dvcyaml=False, save_dvc_exp=False)
        self.logged = 0

    def __call__(self, history: training_loop.History) -> None:
        """Log what is new in the history, and speak the line unless an earlier process did."""
        epoch = len(history.clips) - 1
        self._log(history, epoch)
        path = self.scratch / wav_name(epoch)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            wav.write(path, self._speak(), rate_hz=wav.OUTPUT_RATE_HZ)

    def _log(self, history: training_loop.History, epoch: int) -> None:
        """The updates of the epoch, then its evaluation at the last of them."""
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
        """The line at this moment. float32 at 24 000 Hz [T]"""
        self.trainer.learning(False)
        model = self.trainer.xtts
        config = model.config
        sampling = synthesis.Sampling(config.temperature, config.top_p, config.top_k, float(config.repetition_penalty))
        given = xtts.conditioning(model, batches.pcm(self.sample))
        return synthesis.speak(model, given, [self.line], sampling, label="eval line")[0]

    def report(self, history: training_loop.History) -> None:
        """Write `epochs.json` (per epoch: losses, losses by clip, the line's file) and the lines into the report's folder."""
        rows = []
        for epoch, losses in enumerate(history.eval_losses(self.schedule)):
            shutil.copyfile(self.scratch / wav_name(epoch), self.epochs / wav_name(epoch))
            clips = {name: {"text": values[0], "mel": values[1]} for name, values in history.clips[epoch].items()}
            rows.append({"epoch": epoch, **losses, "wav": wav_name(epoch), "clips": clips})
        line = {"id": self.sample.id, "text": self.line.text}
        write_json(self.epochs / "epochs.json", {"best_epoch": history.best_epoch(self.schedule), "line": line, "epochs": rows})


def wav_name(epoch: int) -> str:
    """File of the line spoken after an epoch, 24 000 Hz."""
    return f"epoch-{epoch:02d}.wav"


def write_curves(folder: Path, history: training_loop.History, schedule: training_loop.Schedule) -> None:
    """Write `train.csv` (a row per update) and `eval.csv` (a row per epoch), losses in nats per token.

    `loss` stands last: where nobody says otherwise, `dvc plots` draws the last column.
    """
    weigh = schedule.text_loss_weight, schedule.mel_loss_weight
    train = ([number, text, mel, weigh[0] * text + weigh[1] * mel] for number, (text, mel) in enumerate(history.updates, start=1))
    held_out = ([epoch, row["text"], row["mel"], row["loss"]] for epoch, row in enumerate(history.eval_losses(schedule)))
    _write_csv(folder / "train.csv", ["update", "text", "mel", "loss"], train)
    _write_csv(folder / "eval.csv", ["epoch", "text", "mel", "loss"], held_out)


def _write_csv(path: Path, header: list[str], rows: Iterable[list[float]]) -> None:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows([first, *(f"{value:.{DIGITS}f}" for value in rest)] for first, *rest in rows)
    write_text(path, text.getvalue())
