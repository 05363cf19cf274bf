"""What a training needs of the machine: said before it starts, so that nobody waits for a failure."""

from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from voz.model import learned
from voz.model.batches import Sample
from voz.model.dvae import STRIDE
from voz.model.gpt_trainer import Trainer
from voz.model.schedule import Schedule
from voz.model.training_loop import DONE
from voz.model.training_material import Material
from voz.pipeline import files
from voz.pipeline.language import tr

DISK_PER_LEARNING_WEIGHT = 32  # bytes: weights 4 and Adam 8, both twice while a state replaces another; best weights twice
DISK_PER_EXPORTED_WEIGHT = 4
MEMORY_PER_LEARNING_WEIGHT = 12  # bytes: gradient 4, Adam 8; the weights themselves are loaded already
LATENTS = 32  # positions of the conditioning before a text


@dataclass(frozen=True)
class Needs:
    """Bytes that a training needs beside what it has already, and that are free where it runs. The memory is an estimate."""

    memory: int
    free_memory: int
    disk: int
    free_disk: int

    def describe(self) -> str:
        """One line."""
        memory, free, disk, free_disk = (each / 1e9 for each in (self.memory, self.free_memory, self.disk, self.free_disk))
        return tr(
            "needs about {memory:.1f} GB more memory ({free:.1f} free) and {disk:.1f} GB more disk ({free_disk:.1f} free)",
            memory=memory,
            free=free,
            disk=disk,
            free_disk=free_disk,
        )


def of(trainer: Trainer, train: list[Sample], batch_size: int, folder: Path) -> Needs:
    """What a training of these clips needs, when the model is loaded and `folder`, the training's, has the state of an earlier process."""
    parts = learned.of(trainer.xtts.gpt)
    learning, exported = (sum(weight.numel() for weight in part.values()) for part in (parts.trained, parts.exported))
    memory = learning * MEMORY_PER_LEARNING_WEIGHT + activations(trainer, train, batch_size)
    free = torch.cuda.mem_get_info(trainer.device)[0] if trainer.device.type == "cuda" else psutil.virtual_memory().available
    kept = sum(path.stat().st_size for path in folder.glob("*.pt"))
    disk = learning * DISK_PER_LEARNING_WEIGHT + exported * DISK_PER_EXPORTED_WEIGHT - kept
    return Needs(memory, free, max(0, disk), files.free_bytes(folder))


def activations(trainer: Trainer, train: list[Sample], batch_size: int) -> int:
    """Bytes of the activations of the longest batch in float32.

    Twice the half precision of Korthikanti et al. 2022 (arXiv:2205.05198), equation 1: s b h (34 + 5 a s / h) per layer.
    """
    config = trainer.xtts.gpt.gpt.config
    width, heads = config.n_embd, config.n_head
    length = LATENTS + max(len(sample.tokens) - (-sample.length // STRIDE) for sample in train)
    learning = sum(any(weight.requires_grad for weight in layer.parameters()) for layer in trainer.xtts.gpt.gpt.h)
    return round(2 * length * batch_size * (34 * width + 5 * heads * length) * learning)


def announce(trainer: Trainer, material: Material, schedule: Schedule, folder: Path) -> None:
    """Say what a training has to learn from and what it needs. A finished one needs nothing more.

    Raises:
        UserError: the disk has too little space.
    """
    if (folder / DONE).is_file():
        return
    print(
        tr(
            "train: clips: {splits}; {updates} updates of {per_update} clips in {epochs} epochs",
            splits=", ".join(f"{name} {material.clips[name]} ({minutes:.1f} min)" for name, minutes in material.minutes.items()),
            updates=schedule.updates(len(material.train)),
            per_update=schedule.batch_size * schedule.grad_accumulation,
            epochs=schedule.epochs,
        )
    )
    needed = of(trainer, material.train, schedule.batch_size, folder)
    print(tr("train: {line}", line=needed.describe()))
    if needed.memory > needed.free_memory:
        print(tr('train: that may be too much memory: close other programs, or train what takes less: docs/choosing.md, "Which card"'))
    files.require_free(folder, needed.disk, what=tr("training"))
