"""The training loop: epochs of updates and evaluations, with a state that survives kill -9.

The state (weights, optimizer, position, history) in the training's folder is replaced atomically at the end of each epoch, on SIGINT,
SIGTERM and SIGHUP, and every few minutes. Before each update the random generators are seeded from (seed, epoch, update), so they need not
be saved: a training that was killed at any moment and started again ends with the same bytes as one that was not.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

from voz.model import batches, checkpoint, gpt_loss, learned, together
from voz.model.batches import Sample
from voz.model.gpt_trainer import Trainer
from voz.model.history import History, Scores, is_finite, mean_losses
from voz.model.interpolation import Interpolation
from voz.model.pace import Pace
from voz.model.schedule import Schedule
from voz.model.updates import Updates
from voz.pipeline import command, files, parallel
from voz.pipeline.command import UserError
from voz.pipeline.language import tr

SAVE_EVERY_S = 600.0  # a full-size state is 5.3 GB: seconds of writing every ten minutes
STATE, BEST, DONE = "state.pt", "best.pt", "done.json"
READ_EVERY = 10  # updates whose losses are read together from an accelerator
SKIPS = 3  # updates in a row whose loss is not finite: the training does not recover


class TrainingLoop:
    """One training, resumed if `folder` has its state.

    Args:
        train, held_out: samples with codes; with `conditioning: other_clip` those of `train` with latents too.
        folder: of this training alone. Its name must depend on everything that the result depends on.
        listen: called with the number of each evaluation (0 = the base), while the GPT has the weights that would be exported. It gives
            the scores of the eval lines, and keeps what they follow from.
        recall: gives the scores of an evaluation of an earlier process, from what `listen` kept: its weights are gone.
        on_epoch: called after each evaluation with the history so far, also after those of an earlier process.
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
        listen: Callable[[int], Scores],
        recall: Callable[[int], Scores],
        on_epoch: Callable[[History], None],
    ) -> None:
        self.train, self.held_out, self.schedule = list(train), list(held_out), schedule
        self.folder, self.listen, self.recall, self.on_epoch = folder, listen, recall, on_epoch
        self.trainer = trainer
        self.gpt = trainer.xtts.gpt
        self.learned = learned.of(self.gpt)
        self.interpolation = Interpolation(self.learned.linear, schedule.lower_layers_alpha)
        self.updates = Updates(trainer, schedule, device, len(self.train))
        self.first = self.updates.accelerator.is_main_process  # of several processes it alone speaks, saves and shows
        self.alone = self.updates.accelerator.num_processes == 1
        self.read_every = 1 if device.type == "cpu" else READ_EVERY
        self.planned = schedule.updates(len(self.train))  # updates of the whole training
        self.history = History()
        self.epoch, self.update = 1, 0  # position: the epoch, and how many of its updates are done
        self.pace = Pace()
        self.saved_at = time.monotonic()

    def run(self) -> History:
        """Train to the end and return the history. The best epoch's weights are then in `folder`, see `best_weights`."""
        if together.from_first((self.folder / DONE).is_file()):
            os.utime(self.folder)  # `cache_folders.trim` removes what was used longest ago
            self.history = History(**json.loads((self.folder / DONE).read_text(encoding="utf-8")))
            (self.folder / STATE).unlink(missing_ok=True)
            self._replay()
            return self.history
        with files.exclusive(self.folder, what=tr("training")) if self.first else nullcontext():
            self._train()
        return self.history

    def _train(self) -> None:
        """Do what is not done yet."""
        self._restore()
        self.updates.accelerator.wait_for_everyone()  # the first may remove the state at the end
        self._replay()
        per_update = self.schedule.batch_size * self.schedule.grad_accumulation
        epochs = self.schedule.evaluated_epochs(len(self.train))
        total = min(epochs * len(self.train), self.planned * per_update) + (epochs + 1) * len(self.held_out)
        self.bar = parallel.progress((), total=total, label="train", unit="clip", shown=self.first)
        self.bar.initial = self.bar.n = self._clips_done()
        with command.deferred_signals() as signals, self.bar:
            if not self.history.clips:
                self._evaluate(signals)
            while not self._ended():
                self._train_epoch(signals)
                self._evaluate(signals)
                self._end_epoch()
        if self.first:
            files.write_text(self.folder / DONE, json.dumps(self.history.saved(), allow_nan=False))
            (self.folder / STATE).unlink(missing_ok=True)  # three times as large as the weights

    def _ended(self) -> bool:
        """True at the end of the last epoch: of all, of those that `max_steps` allows, or after `patience` epochs without a better one."""
        s, done = self.schedule, self.epoch - 1
        if self.update:  # a part of an epoch is trained, and not evaluated yet
            return False
        impatient = s.patience > 0 and done > 0 and done - self.history.best_epoch(s) >= s.patience
        return impatient or done >= s.epochs or len(self.history.updates) >= self.planned

    def _replay(self) -> None:
        """Score the evaluations of an earlier process again, and call `on_epoch` for each."""
        per_epoch = self.schedule.updates_per_epoch(len(self.train))
        evaluations = range(len(self.history.clips))
        self.history.scores = together.from_first([self.recall(epoch) for epoch in evaluations] if self.first else [])
        for epoch in evaluations if self.first else ():
            self.on_epoch(self.history.until(epoch, epoch * per_epoch))

    def _train_epoch(self, signals: list[int]) -> None:
        """The updates of this epoch that are not done yet."""
        self.trainer.learning(True)
        s = self.schedule
        other_clip = s.conditioning == "other_clip"
        planned = batches.epoch(self.train, batch_size=s.batch_size, seed=s.seed, number=self.epoch, other_clip=other_clip)
        step = s.grad_accumulation
        groups = [planned[i : i + step] for i in range(0, len(planned), step)]
        before = (self.epoch - 1) * len(groups)  # updates of earlier epochs
        left = groups[self.update : self.planned - before]
        for remaining, (group, own) in zip(reversed(range(len(left))), parallel.ahead(self.updates.read, left), strict=True):
            start = time.monotonic()
            self.updates.make(own, epoch=self.epoch, number=self.update)
            self.update, self.pace.updates = self.update + 1, self.pace.updates + 1
            if reading := self.update % self.read_every == 0 or not remaining:
                self._read_losses()
            self.pace.seconds += time.monotonic() - start
            self.bar.update(sum(len(each.clips) for each in group))
            if reading:
                self._foretell()
                self._save_or_stop(signals)

    def _read_losses(self) -> None:
        """Note the losses of the updates since the last reading. One that was not finite has changed nothing.

        Raises:
            UserError: the third in a row was not finite.
        """
        for losses in self.updates.losses():
            number = len(self.history.updates)
            finite = all(map(math.isfinite, losses))
            self.history.updates.append(losses if finite else None)
            if finite:
                continue
            loss = sum(losses)
            where = tr("update {number}, epoch {epoch}", number=number + 1, epoch=self.epoch)
            if number >= SKIPS - 1 and not any(self.history.updates[-SKIPS:]):
                raise UserError(
                    "training: the loss is {loss} {skips} times in a row ({where})",
                    "lower train.lr, or train.precision: fp32",
                    loss=loss,
                    skips=SKIPS,
                    where=where,
                )
            if self.first:
                self.bar.write(tr("train: {where}: the loss is {loss}; this update is left out", where=where, loss=loss))

    def _foretell(self) -> None:
        """Say once how long the rest will take."""
        evaluations = self.schedule.evaluated_epochs(len(self.train)) - self.epoch + 1
        if self.first and (line := self.pace.forecast(updates=self.planned - len(self.history.updates), evaluations=evaluations)):
            self.bar.write(line)

    def _evaluate(self, signals: list[int]) -> None:
        """Measure the weights that would be exported, call `on_epoch`, and keep the weights if they are the best.

        Raises:
            UserError: their loss is not finite. What was saved stays, without them.
        """
        start = time.monotonic()
        with self.interpolation.applied():
            clips = together.from_first(self._losses(signals if self.alone else []) if self.first else {})  # a signal waits for the end
            if complete := len(clips) == len(self.held_out):
                if not is_finite(losses := mean_losses(clips, self.schedule)):
                    where = tr("after epoch {epoch}", epoch=self.epoch) if self.history.clips else tr("of the base")
                    raise UserError(
                        "training: the eval loss {where} is {loss}",
                        "lower train.lr, or train.precision: fp32",
                        where=where,
                        loss=losses["loss"],
                    )
                self.history.clips.append(clips)
                scores = self.listen(len(self.history.clips) - 1) if self.first else None
                self.history.scores.append(together.from_first(scores))
                if self.first:
                    self.on_epoch(self.history)
                    self._keep_if_best()
        self.pace.evaluation_s = time.monotonic() - start
        if not complete:
            self._save_or_stop(signals)
        rows = self.history.eval_losses(self.schedule)
        self.bar.set_postfix_str(f"epoch {len(rows) - 1}, eval loss {rows[-1]['loss']:.4f} (base {rows[0]['loss']:.4f})")

    def _keep_if_best(self) -> None:
        """Keep the present weights if no epoch before was better."""
        if len(self.history.clips) > 1 and self.history.best_epoch(self.schedule) == self.epoch:
            checkpoint.write(self.folder / BEST, {"epoch": self.epoch, "gpt": self.learned.state()})

    def eval_loss(self) -> float:
        """The eval loss of the present weights."""
        return mean_losses(dict(self._clip_losses()), self.schedule)["loss"]

    def _losses(self, signals: list[int]) -> dict[str, list[float]]:
        """Losses of the eval clips; of fewer clips if a signal comes in between."""
        clips: dict[str, list[float]] = {}
        for name, losses in self._clip_losses():
            clips[name] = losses
            self.bar.update(1)
            if signals:
                break
        return clips

    @torch.no_grad()
    def _clip_losses(self) -> Iterator[tuple[str, list[float]]]:
        """The id and the losses of each eval clip, see `History`, without a mask as in coqui's eval_step."""
        self.trainer.learning(False)
        for sample, batch in batches.singles(self.held_out):
            text, mel = self.trainer(batch.to(self.trainer.device), masked=False)
            of_text, of_mel = gpt_loss.counts(batch, masked=False)
            yield sample.id, [float(text) / of_text, float(mel) / of_mel, of_text, of_mel]

    def _end_epoch(self) -> None:
        """Move the position to the next epoch and save it."""
        self.epoch, self.update = self.epoch + 1, 0
        self._save()

    def _save_or_stop(self, signals: list[int]) -> None:
        """Save and stop if a signal came; save if the last time is long ago.

        Raises:
            KeyboardInterrupt, Terminated: a signal came.
        """
        if number := together.highest(signals[0] if signals else 0, self.trainer.device):
            self._save()
            raise command.interruption(number)
        if time.monotonic() - self.saved_at > SAVE_EVERY_S:
            self._save()

    def _save(self) -> None:
        """Replace the saved state. Of several processes, all of which have the same, the first does it."""
        if not self.first:
            return
        scaler = self.updates.accelerator.scaler
        state = {
            "gpt": self.learned.state(),
            "optimizer": self.updates.optimizer.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
            "position": [self.epoch, self.update],
            "history": self.history.saved(),
        }
        checkpoint.write(self.folder / STATE, state)
        self.saved_at = time.monotonic()

    def _restore(self) -> None:
        """Continue from the saved state, if there is one."""
        path = self.folder / STATE
        if not path.is_file():
            return
        state = checkpoint.read(path)
        self.learned.load(state["gpt"])
        self.updates.optimizer.load_state_dict(state["optimizer"])
        if self.updates.accelerator.scaler is not None:
            self.updates.accelerator.scaler.load_state_dict(state["scaler"])
        self.epoch, self.update = state["position"]
        self.history = History(**state["history"])
        self.updates.made = len(self.history.updates)
        if not self.first:
            return
        print(
            tr(
                "train: continuing in epoch {epoch} of {epochs}, after {updates} updates",
                epoch=self.epoch,
                epochs=self.schedule.epochs,
                updates=len(self.history.updates),
            )
        )

    def _clips_done(self) -> int:
        """Clips of the progress bar that earlier processes did."""
        per_update = self.schedule.batch_size * self.schedule.grad_accumulation
        trained = (self.epoch - 1) * len(self.train) + min(self.update * per_update, len(self.train))
        return trained + len(self.history.clips) * len(self.held_out)


def best_weights(folder: Path) -> dict[str, torch.Tensor]:
    """What the best epoch of a finished training learned, see `Learned.state`."""
    gpt: dict[str, torch.Tensor] = checkpoint.read(folder / BEST)["gpt"]
    return gpt
