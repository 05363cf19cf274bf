"""The plan of a training: how many updates, at which learning rate, and when it ends."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """The parameters of a training that the loop needs, see params.yaml. Those with a default are off by it.

    grad_accumulation: batches per update.
    precision: fp32 | bf16 | fp16.
    conditioning: same_clip | other_clip, what the GPT is conditioned on: a slice of the clip itself, or another clip.
    lower_layers_alpha: of the interpolation that is evaluated and exported, see `interpolation.Interpolation`.
    select: loss | cer | similarity, which chooses the epoch.
    patience: epochs without a better one after which the training ends; 0 = off.
    warmup_steps: updates over which the rate rises.
    lr_schedule: constant | cosine, the rate after them.
    max_steps: updates at most; 0 = off.
    max_grad_norm: longer gradients are shortened to it; 0 = off.
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
    select: str = "loss"
    patience: int = 0
    warmup_steps: int = 0
    lr_schedule: str = "constant"
    max_steps: int = 0
    max_grad_norm: float = 0.0

    def updates_per_epoch(self, clips: int) -> int:
        """Updates of a whole epoch over so many clips."""
        batch_count = -(-clips // self.batch_size)
        return -(-batch_count // self.grad_accumulation)

    def updates(self, clips: int) -> int:
        """Updates of the whole training, if it does not stop early."""
        planned = self.epochs * self.updates_per_epoch(clips)
        return min(planned, self.max_steps) if self.max_steps else planned

    def evaluated_epochs(self, clips: int) -> int:
        """Epochs of the whole training, if it does not stop early; the last may be cut short by `max_steps`."""
        return -(-self.updates(clips) // self.updates_per_epoch(clips))

    def rate(self, number: int, clips: int) -> float:
        """The learning rate of an update (0, 1, ...), as a share of `train.lr`. It follows from the number alone, so it needs no state."""
        if number < self.warmup_steps:
            return (number + 1) / self.warmup_steps
        if self.lr_schedule == "constant":
            return 1.0
        after = max(1, self.updates(clips) - self.warmup_steps)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, (number - self.warmup_steps) / after)))
