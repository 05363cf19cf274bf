"""The updates of a training's weights, made by one process or by several.

Each process computes the gradients of its share of an update's clips; Accelerate adds them up (DDP). Every token has the same weight,
whatever batch or process it is in, so the same clips give the same update within rounding, but for dropout, which each process draws for
its own clips. What an update's losses were stays on the device until it is read: reading makes an accelerator wait.
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
from accelerate import Accelerator, DistributedDataParallelKwargs, InitProcessGroupKwargs
from torch.nn.attention import SDPBackend, sdpa_kernel

from voz.model import gpt_loss
from voz.model.batches import Batch, PlannedBatch
from voz.model.gpt_trainer import Trainer
from voz.model.schedule import Schedule
from voz.pipeline.command import UserError

LONGEST_WAIT = timedelta(hours=6)  # of a process for another, which may be speaking the eval lines


@dataclass(frozen=True)
class Share:
    """What one process computes of an update.

    weight: 0 for a process without clips, which takes part with one that does not count, because all must add up; else 1.
    """

    batches: list[Batch]
    weight: float


class Updates:
    """Makes updates of a trainer's weights.

    Args:
        clips: number of train clips, on which the learning rate depends.

    Attributes:
        made: updates of the whole training so far; the learning rate of the next one follows from it.
    """

    def __init__(self, trainer: Trainer, schedule: Schedule, device: torch.device, clips: int) -> None:
        self.trainer, self.schedule, self.clips = trainer, schedule, clips
        self.accelerator = accelerator(schedule.precision, device)
        self.model, self.optimizer = self.accelerator.prepare(trainer, trainer.get_optimizer())
        self.rate = self.optimizer.param_groups[0]["lr"]
        self.made = 0
        self._unread: list[torch.Tensor] = []  # mean text loss and mean code loss of each. [2]

    def read(self, group: Sequence[PlannedBatch]) -> Share:
        """Read the clips of this process's share of an update. A thread may do it ahead: it draws no random numbers."""
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        own = share(group, rank, processes)
        return Share([batch.read() for batch in own or share(group, 0, sum(len(batch.clips) for batch in group))], float(bool(own)))

    def make(self, own: Share, *, epoch: int, number: int) -> None:
        """One update. If its loss is not finite, the weights stay as they are.

        Args:
            own: of `read`.
            epoch, number: the number of the update in its epoch. With the schedule's seed they seed dropout.
        """
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        torch.manual_seed(_seed(self.schedule.seed, epoch, number, *([rank] if rank else [])))  # on every device
        batches, weight = own.batches, own.weight
        counts = self._total(weight * torch.tensor([gpt_loss.counts(batch) for batch in batches]).sum(0))
        sums = torch.zeros(2, dtype=torch.float64, device=self.accelerator.device)
        for index, batch in enumerate(batches):
            apart = nullcontext() if index == len(batches) - 1 else self.accelerator.no_sync(self.model)
            with apart, repeatable_attention(self.accelerator.device):
                text, mel = self.model(batch.to(self.accelerator.device))
                loss = self.schedule.text_loss_weight * text / counts[0] + self.schedule.mel_loss_weight * mel / counts[1]
                self.accelerator.backward(loss * (weight * processes))  # DDP takes the mean over processes
            sums += weight * torch.stack([text.detach(), mel.detach()])
        losses = self._total(sums) / counts
        self._step(finite=losses.isfinite().all())
        self._unread.append(losses)
        self.made += 1

    def losses(self) -> list[list[float]]:
        """(text, code) loss of each update since the last reading, in nats."""
        losses: list[list[float]] = torch.stack(self._unread).tolist() if self._unread else []
        self._unread = []
        return losses

    def _step(self, *, finite: torch.Tensor) -> None:
        """Move the weights along the gradients, at the rate of this update, if the loss was finite."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * self.schedule.rate(self.made, self.clips)
        if self.schedule.max_grad_norm:
            norm = self.accelerator.clip_grad_norm_(self.trainer.xtts.gpt.parameters(), self.schedule.max_grad_norm)
            finite = finite & norm.isfinite()  # an infinite gradient times the factor of an infinite norm, 0, is no number
        if self.accelerator.scaler is None:  # else the scaler finds out
            self.optimizer.optimizer.found_inf = (~finite).float()  # how the fused AdamW is told to leave the weights alone
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _total(self, values: torch.Tensor) -> torch.Tensor:
        """Of all processes."""
        values = values.to(self.accelerator.device)
        total: torch.Tensor = self.accelerator.reduce(values, "sum") if self.accelerator.num_processes > 1 else values
        return total


def share(group: Sequence[PlannedBatch], rank: int, processes: int) -> list[PlannedBatch]:
    """The part of an update that a process computes: every n-th of its clips, in batches of the same size."""
    if processes == 1:
        return list(group)
    clips = [clip for batch in group for clip in batch.clips][rank::processes]
    references = [reference for batch in group for reference in batch.references][rank::processes]
    size = len(group[0].clips)
    return [PlannedBatch(clips[at : at + size], references[at : at + size]) for at in range(0, len(clips), size)]


def accelerator(precision: str, device: torch.device) -> Accelerator:
    """Accelerate for one device of this process at one precision.

    Raises:
        UserError: fp16 on a CPU.
    """
    if precision == "fp16" and device.type == "cpu":
        raise UserError("params.yaml: train.precision: fp16 needs an accelerator", "write bf16 or fp32")
    os.environ["ACCELERATE_TORCH_DEVICE"] = str(device)  # how Accelerate takes one of several devices
    if device.type == "cuda":
        torch.cuda.set_device(device)  # where torch puts what processes tell each other
    return Accelerator(
        mixed_precision={"fp32": "no"}.get(precision, precision),
        cpu=device.type == "cpu",
        kwargs_handlers=[
            # other_clip leaves an encoder unused
            DistributedDataParallelKwargs(find_unused_parameters=True, broadcast_buffers=False, gradient_as_bucket_view=True),
            InitProcessGroupKwargs(timeout=LONGEST_WAIT),
        ],
    )


def repeatable_attention(device: torch.device) -> AbstractContextManager[None]:
    """Within the block, attention gives the same digits every time, if torch was asked for that: by its plain kernel, on an accelerator.

    The fused kernels add up their gradients in an order that changes, unless `use_deterministic_algorithms` makes an error of that
    (torch's attention_backward.cu); `device.seed_everything` only asks for a warning, as other operations have no other kernel.
    """
    if device.type == "cuda" and torch.are_deterministic_algorithms_enabled():
        return sdpa_kernel(SDPBackend.MATH)
    return nullcontext()


def _seed(*parts: int) -> int:
    """A seed of 63 bits from some integers."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:8], "big") >> 1
