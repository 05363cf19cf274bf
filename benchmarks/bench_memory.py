"""What an update holds in memory at full size, by set of parameters: whether a training fits a card.

    python -m benchmarks.bench_memory BASE [--dataset data/dataset]        # BASE: bench_train makes it

Reads   the two longest train clips of the dataset
Writes  a table on stdout, ready for benchmarks/README.md

Adds up the tensors that live at once in the second update, when AdamW has its moments. It runs on a CPU: what a card's driver, its
allocator and its kernels take besides (about 1 GB) is not in it. About five minutes and 12 GB.
"""

import argparse
import weakref
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks.bench_train import ADAMW, CLIPS, SCHEDULE, longest_clips
from voz.model import batches, gpt_trainer, lora
from voz.model.batches import Sample
from voz.model.updates import Updates
from voz.pipeline import command

LORA = lora.Settings(rank=16, alpha=32.0, dropout=0.05, seed=1)


@dataclass(frozen=True)
class Way:
    """A set of parameters of section `train`."""

    name: str
    batch_size: int = CLIPS
    conditioning: str = "same_clip"
    precision: str = "fp32"
    layers: str | int = "all"
    adapters: lora.Settings | None = None


WAYS = (
    Way("the recipe"),
    Way("`conditioning: other_clip`", conditioning="other_clip"),
    Way("the same, `batch_size: 1`, `grad_accumulation: 2`", conditioning="other_clip", batch_size=1),
    Way("the same, `precision: bf16` (or fp16)", conditioning="other_clip", precision="bf16"),
    Way("`layers: 10`, `conditioning: other_clip`", conditioning="other_clip", layers=10),
    Way("`method: lora`, `conditioning: other_clip`", conditioning="other_clip", adapters=LORA),
    Way("the same, `precision: bf16` (or fp16)", conditioning="other_clip", precision="bf16", adapters=LORA),
)


class Made(TorchDispatchMode):
    """Counts the bytes of the tensors that operations make, as long as they live.

    Attributes:
        now, peak: bytes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: weakref.WeakSet[torch.UntypedStorage] = weakref.WeakSet()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor.untyped_storage())
        return result

    def add(self, storage: torch.UntypedStorage) -> None:
        """Count a storage that is new."""
        if storage in self.known:
            return
        self.known.add(storage)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self.drop, storage.nbytes())

    def drop(self, size: int) -> None:
        """A storage is no more."""
        self.now -= size


def size_gb(tensors: Iterable[torch.Tensor]) -> float:
    """Of different tensors, in GB."""
    return sum({each.untyped_storage().data_ptr(): each.untyped_storage().nbytes() for each in tensors}.values()) / 1e9


def row(base: Path, samples: list[Sample], way: Way) -> str:
    """The row of a way: what lies there always, and the most that an update adds."""
    AcceleratorState._reset_state(reset_partial_state=True)  # else the first precision stays
    model = gpt_trainer.build(base, **ADAMW, layers=way.layers, adapters=way.adapters)
    schedule = replace(SCHEDULE, conditioning=way.conditioning, precision=way.precision, batch_size=way.batch_size)
    updates = Updates(model, schedule, torch.device("cpu"), len(samples))
    model.learning(True)
    planned = batches.epoch(samples, batch_size=way.batch_size, seed=1, number=1, other_clip=way.conditioning == "other_clip")
    own = updates.read(planned)
    updates.make(own, epoch=1, number=0)
    weights = size_gb([*model.parameters(), *model.buffers()])
    moments = size_gb(each for state in updates.optimizer.state.values() for each in state.values())
    with Made() as made:
        updates.make(own, epoch=1, number=1)
    return f"| {way.name} | {weights:.2f} | {moments:.2f} | {made.peak / 1e9:.2f} | **{weights + moments + made.peak / 1e9:.1f}** |"


def main() -> None:
    """Measure every way and print the table."""
    args = parse_args()
    samples = longest_clips(args.dataset, args.base, torch.device("cpu"))
    print("| an update of 2 clips of 11 s | weights | moments | most that an update adds | GB |\n|---|---|---|---|---|")
    for way in WAYS:
        print(row(args.base, samples, way), flush=True)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", type=Path)
    parser.add_argument("--dataset", type=Path, default=Path("data/dataset"))
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
