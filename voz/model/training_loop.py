"""The training loop: Hugging Face Accelerate around the trainer, with a state that survives kill -9.

The state (weights, optimizer, position, history) in the training's folder is replaced atomically at the end of each epoch, on SIGINT
and SIGTERM, and every few minutes. Before each update the random generators are seeded from (seed, epoch, update), so they need not
be saved: a training that was killed at any moment and started again ends with the same bytes as one that was not.
"""

import hashlib
import json
import math
import os
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from accelerate import Accelerator

from voz.model import batches, checkpoint
from voz.model.batches import PlannedBatch, Sample
from voz.model.gpt_trainer import Trainer
from voz.model.interpolation import Interpolation
from voz.pipeline import command, files, parallel
from voz.pipeline.command import Terminated, UserError

SAVE_EVERY_S = 600.0  # a full-size state is 5.3 GB: seconds of writing every ten minutes
STATE, BEST, DONE = "state.pt", "best.pt", "done.json"


@dataclass(frozen=True)
class Schedule:
    """The parameters of a training that the loop needs, see params.yaml.

    grad_accumulation: batches per update.
    precision: fp32 | bf16 | fp16.
    conditioning: same_clip | other_clip, what the GPT is conditioned on: a slice of the clip itself, or another clip.
    lower_layers_alpha: of the interpolation that is evaluated and exported, see `interpolation.Interpolation`.
    """

    epochs: int
    batch_size: int
    grad_accumulation: int
    text_loss_weight: float
    mel_loss_weight: float
    precision: str
    seed: int
    conditioning: str
    lower_layers_alpha: float


@dataclass
class History:
    """The losses of a training so far, in nats per token.

    updates: (text, mel) of each update, in order.
    clips: of each evaluation (0 = the base, then one per epoch): (text, mel, text targets, mel targets) of each eval clip, by id.
    """

    updates: list[list[float]] = field(default_factory=list)
    clips: list[dict[str, list[float]]] = field(default_factory=list)

    def eval_losses(self, schedule: Schedule) -> list[dict[str, float]]:
        """Mean losses over the tokens of the eval clips, a row per evaluation: `text`, `mel`, and `loss`, their weighted sum."""
        rows = []
        for clips in self.clips:
            text, mel = (sum(c[i] * c[i + 2] for c in clips.values()) / sum(c[i + 2] for c in clips.values()) for i in (0, 1))
            rows.append({"text": text, "mel": mel, "loss": schedule.text_loss_weight * text + schedule.mel_loss_weight * mel})
        return rows

    def best_epoch(self, schedule: Schedule) -> int:
        """The epoch (1, 2, ...) of least eval loss; of equal ones the first."""
        losses = [row["loss"] for row in self.eval_losses(schedule)]
        return min(range(1, len(losses)), key=lambda number: losses[number])


class TrainingLoop:
    """One training, resumed if `folder` has its state.

    Args:
        train, held_out: samples with codes; with `conditioning: other_clip` those of `train` with latents too.
        folder: of this training alone. Its name must depend on everything that the result depends on.
        on_epoch: called after each evaluation (0 = the base) with the history so far, also after those of an earlier process.
    """

    def __init__(
        self,
        trainer: Trainer,
        train: Sequence[Sample],
        held_out: Sequence[Sample],
        schedule: Schedule,
        *,
        folder: Path,
        device: torch.device,
        on_epoch: Callable[[History], None],
    ) -> None:
        self.train, self.held_out, self.schedule = list(train), list(held_out), schedule
        self.folder, self.on_epoch = folder, on_epoch
        self.accelerator = accelerator(schedule.precision, device)
        self.trainer = trainer
        self.gpt = trainer.xtts.gpt
        self.interpolation = Interpolation(self.gpt, schedule.lower_layers_alpha)
        self.model, self.optimizer = self.accelerator.prepare(trainer, trainer.get_optimizer())
        self.history = History()
        self.epoch, self.update = 1, 0  # position: the epoch, and how many of its updates are done
        self.computed, self.update_s = 0, 0.0  # updates of this process, and the seconds that they took
        self.saved_at = time.monotonic()

    def run(self) -> History:
        """Train to the end and return the history. The best epoch's GPT is then in `folder`, see `best_weights`."""
        if (self.folder / DONE).is_file():
            self.history = History(**json.loads((self.folder / DONE).read_text(encoding="utf-8")))
            (self.folder / STATE).unlink(missing_ok=True)
            self._replay()
            return self.history
        with files.exclusive(self.folder, what="training"):
            self._train()
        return self.history

    def _train(self) -> None:
        """Do what is not done yet."""
        self._restore()
        self._replay()
        total = self.schedule.epochs * (len(self.train) + len(self.held_out)) + len(self.held_out)
        self.bar = parallel.progress((), total=total, label="train", unit="clip")
        self.bar.initial = self.bar.n = self._clips_done()
        with command.deferred_signals() as signals, self.bar:
            if not self.history.clips:
                self._evaluate(signals)
            while self.epoch <= self.schedule.epochs:
                self._train_epoch(signals)
                self._evaluate(signals)
                self._end_epoch()
        files.write_text(self.folder / DONE, json.dumps(asdict(self.history)))
        (self.folder / STATE).unlink()  # three times as large as the weights

    def _replay(self) -> None:
        """Call `on_epoch` for the evaluations of an earlier process."""
        batch_count = -(-len(self.train) // self.schedule.batch_size)
        per_epoch = -(-batch_count // self.schedule.grad_accumulation)
        for epoch in range(len(self.history.clips)):
            self.on_epoch(History(self.history.updates[: epoch * per_epoch], self.history.clips[: epoch + 1]))

    def _train_epoch(self, signals: list[int]) -> None:
        """The updates of this epoch that are not done yet."""
        self.trainer.learning(True)
        s = self.schedule
        other_clip = s.conditioning == "other_clip"
        planned = batches.epoch(self.train, batch_size=s.batch_size, seed=s.seed, number=self.epoch, other_clip=other_clip)
        step = s.grad_accumulation
        groups = [planned[i : i + step] for i in range(0, len(planned), step)]
        for group in groups[self.update :]:
            start = time.monotonic()
            self.history.updates.append(self._one_update(group))
            self.update_s += time.monotonic() - start
            self.update, self.computed = self.update + 1, self.computed + 1
            self.bar.update(sum(len(each.clips) for each in group))
            self._save_or_stop(signals)

    def _one_update(self, group: list[PlannedBatch]) -> list[float]:
        """One step of the optimizer over some batches: (text, mel) loss. Every token has the same weight, whatever batch it is in."""
        torch.manual_seed(_seed(self.schedule.seed, self.epoch, self.update))  # for dropout, on every device
        read = [planned.read() for planned in group]
        counts = [self.trainer.counts(batch) for batch in read]
        of_text, of_mel = (sum(count[i] for count in counts) for i in (0, 1))
        text_sum = mel_sum = 0.0
        for batch in read:
            text, mel = self.model(batch.to(self.accelerator.device))
            loss = self.schedule.text_loss_weight * text / of_text + self.schedule.mel_loss_weight * mel / of_mel
            self.accelerator.backward(loss)
            text_sum, mel_sum = text_sum + float(text.detach()), mel_sum + float(mel.detach())
        if not math.isfinite(text_sum + mel_sum):
            raise UserError(f"training: the loss became {mel_sum} in epoch {self.epoch}", "lower train.lr, or train.precision: fp32")
        self.optimizer.step()
        self.optimizer.zero_grad()
        return [text_sum / of_text, mel_sum / of_mel]

    def _evaluate(self, signals: list[int]) -> None:
        """Compute the eval losses of the weights that would be exported, call `on_epoch`, and keep the weights if they are the best."""
        with self.interpolation.applied():
            clips = self._losses(signals)
            if complete := len(clips) == len(self.held_out):
                self.history.clips.append(clips)
                self.on_epoch(self.history)
                if len(self.history.clips) > 1 and self.history.best_epoch(self.schedule) == self.epoch:
                    checkpoint.write(self.folder / BEST, {"epoch": self.epoch, "gpt": checkpoint.weights(self.gpt)})
        if not complete:
            self._save_or_stop(signals)
        rows = self.history.eval_losses(self.schedule)
        self.bar.set_postfix_str(f"epoch {len(rows) - 1}, eval loss {rows[-1]['loss']:.4f} (base {rows[0]['loss']:.4f})")

    @torch.no_grad()
    def _losses(self, signals: list[int]) -> dict[str, list[float]]:
        """Losses of the eval clips, without a mask as in coqui's eval_step; of fewer clips if a signal comes in between."""
        self.trainer.learning(False)
        clips: dict[str, list[float]] = {}
        for sample, batch in batches.singles(self.held_out):
            if signals:
                break
            text, mel = self.model(batch.to(self.accelerator.device), masked=False)
            of_text, of_mel = self.trainer.counts(batch, masked=False)
            clips[sample.id] = [float(text) / of_text, float(mel) / of_mel, of_text, of_mel]
            self.bar.update(1)
        return clips

    def _end_epoch(self) -> None:
        """Move the position to the next epoch and save it."""
        self.epoch, self.update = self.epoch + 1, 0
        self._save()

    def _save_or_stop(self, signals: list[int]) -> None:
        """Save and stop if a signal came; save if the last time is long ago.

        Raises:
            KeyboardInterrupt, Terminated: SIGINT or SIGTERM came.
        """
        if signals:
            self._save()
            raise KeyboardInterrupt if signals[0] == signal.SIGINT else Terminated
        if time.monotonic() - self.saved_at > SAVE_EVERY_S:
            self._save()

    def _save(self) -> None:
        """Replace the saved state."""
        scaler = self.accelerator.scaler
        state = {
            "gpt": checkpoint.weights(self.gpt),
            "optimizer": self.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
            "position": [self.epoch, self.update],
            "history": asdict(self.history),
        }
        checkpoint.write(self.folder / STATE, state)
        self.saved_at = time.monotonic()

    def _restore(self) -> None:
        """Continue from the saved state, if there is one."""
        path = self.folder / STATE
        if not path.is_file():
            return
        state = checkpoint.read(path)
        self.gpt.load_state_dict(state["gpt"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        self.epoch, self.update = state["position"]
        self.history = History(**state["history"])
        print(f"train: continuing in epoch {self.epoch} of {self.schedule.epochs}, after {len(self.history.updates)} updates")

    def _clips_done(self) -> int:
        """Clips of the progress bar that earlier processes did."""
        per_update = self.schedule.batch_size * self.schedule.grad_accumulation
        trained = (self.epoch - 1) * len(self.train) + min(self.update * per_update, len(self.train))
        return trained + len(self.history.clips) * len(self.held_out)


def accelerator(precision: str, device: torch.device) -> Accelerator:
    """Accelerate for one device at one precision.

    Raises:
        UserError: fp16 on a CPU.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UserError("params.yaml: train.precision: fp16 needs an accelerator", "write bf16 or fp32")
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)  # how Accelerate takes one of several devices
    return Accelerator(mixed_precision={"fp32": "no"}.get(precision, precision), cpu=device.type == "cpu")


def best_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The GPT of the best epoch of a finished training."""
    gpt: dict[str, torch.Tensor] = checkpoint.read(folder / BEST)["gpt"]
    return gpt


def _seed(*parts: int) -> int:
    """A seed of 63 bits from some integers."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1
