"""A training over seeded noise by however many processes run this, without dropout: `python -m tests.training_together BASE CLIPS FOLDER`.

KILL=rank:update ends one of the processes at an update, as the kernel does when memory is short. BREAK=update makes its loss NaN in the
last process. ACCUMULATE=1 makes each update of two batches of one clip.
"""

import json
import math
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState

from tests.test_training_loop import PLAN, noise_clips
from voz.model import gpt_trainer, processes, training_loop
from voz.model.batches import Batch
from voz.model.history import History, Scores
from voz.model.schedule import Schedule


def plan() -> Schedule:
    """The schedule that the environment asks for."""
    return replace(PLAN, batch_size=1, grad_accumulation=2) if "ACCUMULATE" in os.environ else PLAN


def loop_of(base: Path, clips: Path, folder: Path) -> training_loop.TrainingLoop:
    """The training, not begun."""
    AcceleratorState._reset_state(reset_partial_state=True)  # Accelerate keeps one precision per process
    torch.manual_seed(1)
    torch.set_num_threads(1)
    trainer = gpt_trainer.build(base, lr=1e-3, weight_decay=1e-2, betas=[0.9, 0.96], eps=1e-8)
    for module in trainer.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    train, held_out = noise_clips(clips)
    silent = Scores(0.5, 0.5, ())
    return training_loop.TrainingLoop(
        trainer,
        train[:3],  # of batches of two the second has one clip: one of two processes has none
        held_out,
        plan(),
        folder=folder,
        device=torch.device("cpu"),
        listen=lambda epoch: silent,
        recall=lambda epoch: silent,
        on_epoch=lambda history: None,
    )


def killed(loop: training_loop.TrainingLoop, rank: int, update: int) -> None:
    """Let one process end at an update."""
    make = loop.updates.make

    def fatal(*args: object, **named: object) -> None:
        if loop.updates.made == update and os.environ.get("RANK") == str(rank):
            os.kill(os.getpid(), signal.SIGKILL)
        make(*args, **named)  # type: ignore[arg-type]

    loop.updates.make = fatal  # type: ignore[method-assign]


def broken(loop: training_loop.TrainingLoop, update: int) -> None:
    """Let the last process have a loss that is not finite at an update."""
    forward = loop.trainer.forward
    last = loop.updates.accelerator.process_index == loop.updates.accelerator.num_processes - 1

    def overflowing(batch: Batch, masked: bool = True) -> tuple[torch.Tensor, torch.Tensor]:
        text, mel = forward(batch, masked)
        return text, mel * math.nan if masked and last and loop.updates.made == update else mel

    loop.trainer.forward = overflowing  # type: ignore[method-assign]


def main() -> None:
    base, clips, folder = map(Path, sys.argv[1:])
    loop = loop_of(base, clips, folder)
    if "KILL" in os.environ:
        killed(loop, *map(int, os.environ["KILL"].split(":")))
    if "BREAK" in os.environ:
        broken(loop, int(os.environ["BREAK"]))
    with processes.taking_part():
        history: History = loop.run()
    if loop.first:
        (folder / "losses.json").write_text(json.dumps([history.updates, [row["loss"] for row in history.eval_losses(loop.schedule)]]))


if __name__ == "__main__":
    main()
