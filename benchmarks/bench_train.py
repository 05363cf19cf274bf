"""One update of the recipe at full size: coqui's GPTTrainer as it ships, and ours with one lever after the other.

    python -m benchmarks.bench_train FOLDER [--dataset data/dataset] [--updates 3] [--device cpu]

Reads   the two longest train clips of the dataset
Writes  FOLDER/base, a base of XTTS_v2's sizes with random weights, kept for the next run (2.1 GB); a table on stdout, ready for
        benchmarks/README.md

Each row has the levers of the rows above it. coqui's row is its own `format_batch_on_device`, `train_step` and optimizer, on the batch that
its own dataset would make; it is measured first and last. Ours is `Updates.make`. The weights are random: times and memory are
the real ones, losses mean nothing (`bench_parity` compares these). About ten minutes and 12 GB on two cores. On an accelerator two columns
more have the peak memory and how many times an update takes as long as the device needs for its products and bytes (`floor`).
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.state import AcceleratorState
from torch.utils.flop_counter import FlopCounterMode
from transformers.activations import NewGELUActivation

from benchmarks import floor
from benchmarks.bench_full_size import make_base
from voz.audio import limits
from voz.model import batches, device, dvae, gpt_trainer, xtts
from voz.model.batches import Sample
from voz.model.schedule import Schedule
from voz.model.updates import Updates
from voz.pipeline import command, records

ROOT = Path(__file__).parent.parent
CLIPS = 2  # the recipe's batch
ADAMW = {"lr": 5e-6, "weight_decay": 1e-2, "betas": [0.9, 0.96], "eps": 1e-8}  # the recipe's
SCHEDULE = Schedule(
    epochs=1,
    batch_size=CLIPS,
    grad_accumulation=1,
    text_loss_weight=0.01,
    mel_loss_weight=1.0,
    precision="fp32",
    seed=1,
    conditioning="same_clip",
    lower_layers_alpha=1.0,
)


@dataclass(frozen=True)
class Way:
    """How an update is made.

    threads: of the CPU; 0 = all that torch would take.
    plain: without fused AdamW, GELU in one pass, and memory that is not filled before it is written, which a training always has.
    """

    name: str
    threads: int = 0
    plain: bool = False
    conditioning: str = "same_clip"
    precision: str = "fp32"
    deterministic: bool = True


ON_CPU = (
    Way("ours: codes from the cache, no key/value cache; one thread", threads=1, plain=True),
    Way("all threads", plain=True),
    Way("fused AdamW and GELU, memory not filled"),
    Way("`conditioning: other_clip` (latents from the cache)", conditioning="other_clip"),
    Way("`precision: bf16`", conditioning="other_clip", precision="bf16"),
)
ON_GPU = (
    Way("ours: codes from the cache, no key/value cache", plain=True),
    Way("fused AdamW and GELU, memory not filled"),
    Way("`deterministic: false` (TF32, any kernel)", deterministic=False),
    Way("`conditioning: other_clip` (latents from the cache)", conditioning="other_clip", deterministic=False),
    Way("`precision: bf16`", conditioning="other_clip", precision="bf16", deterministic=False),
)


def longest_clips(dataset: Path, base: Path, where: torch.device) -> list[Sample]:
    """The longest train clips, with codes, and with random latents (their time is not an update's)."""
    examples = [e for e in records.read(dataset, records.Example) if e.split == "train"]
    examples = sorted(examples, key=lambda e: (-e.duration_s, e.id))[:CLIPS]
    encoder = dvae.Dvae(base, where)
    loaded = batches.load(examples, dataset / "wavs", xtts.read_tokenizer(base))
    random = torch.Generator().manual_seed(1)
    return [replace(each, codes=encoder.encode(batches.pcm(each)), latents=torch.randn(32, 1024, generator=random)) for each in loaded]


def coquis(base: Path, samples: list[Sample], where: torch.device) -> Callable[[], None]:
    """An update by coqui's GPTTrainer as it ships, with the key/value cache and the optimizer that it has."""
    model = stock(base).to(where)
    model.on_train_epoch_start(_CoquisTrainer(model))
    optimizer = model.get_optimizer()
    read = batches.epoch(samples, batch_size=CLIPS, seed=1, number=1, other_clip=False)[0].read()
    order = {sample.length: sample for sample in samples}
    wavs = [torch.from_numpy(batches.pcm(order[int(length)])) for length in read.wav_lengths]

    def update() -> None:
        batch = {
            "padded_text": read.text,
            "text_lengths": read.text_lengths,
            "wav": torch.nn.utils.rnn.pad_sequence(wavs, batch_first=True)[:, None],
            "wav_lengths": read.wav_lengths,
            "conditioning": read.conditioning[:, None, None, : limits.MAX_CONDITIONING_SAMPLES],
            "cond_idxs": read.slices,
            "cond_lens": torch.full((CLIPS,), torch.nan),
        }
        on_device = model.format_batch_on_device({name: value.to(where) for name, value in batch.items()})
        _, losses = model.train_step(on_device, None)
        losses["loss"].backward()
        optimizer.step()
        optimizer.zero_grad()

    return update


def stock(base: Path) -> xtts.gpt_trainer.GPTTrainer:
    """coqui's own trainer with the weights of a base, and coqui's AdamW."""
    config, widths = xtts.read_config(base)
    settings = gpt_trainer.settings(base, config, **ADAMW)
    del settings.optimizer_params["fused"]
    with xtts.widths_applied(widths):
        model = xtts.gpt_trainer.GPTTrainer(settings)
    xtts.load_weights(model.xtts, base / "model.pth")
    return model


class _CoquisTrainer:
    """What `on_train_epoch_start` reads of coqui's Trainer."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model


def ours(base: Path, samples: list[Sample], way: Way, where: torch.device) -> Callable[[], None]:
    """An update by our loop."""
    AcceleratorState._reset_state(reset_partial_state=True)  # else the first precision stays
    model = gpt_trainer.build(base, **ADAMW).to(where)
    schedule = replace(SCHEDULE, conditioning=way.conditioning, precision=way.precision)
    updates = Updates(model, schedule, where, len(samples))
    if way.plain:
        make_plain(model, updates)
    torch.utils.deterministic.fill_uninitialized_memory = way.plain  # torch's default
    model.learning(True)
    planned = batches.epoch(samples, batch_size=CLIPS, seed=1, number=1, other_clip=way.conditioning == "other_clip")
    return lambda: updates.make(updates.read(planned), epoch=1, number=0)


class PlainAdamW(torch.optim.AdamW):
    """torch's AdamW, a tensor after the other. It cannot be told of a loss that is not finite."""

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        self.found_inf = None
        return super().step(closure)


def make_plain(model: gpt_trainer.Trainer, updates: Updates) -> None:
    """Undo what `gpt_trainer.build` does for speed."""
    for block in model.xtts.gpt.gpt.h:
        block.mlp.act = NewGELUActivation()
    optimizer = updates.optimizer.optimizer
    updates.optimizer.optimizer = PlainAdamW([{**group, "fused": None} for group in optimizer.param_groups])


def timed(update: Callable[[], object], count: int, where: torch.device) -> list[float]:
    """Seconds of each update, after one to warm up."""
    found = []
    for _ in range(count + 1):
        start = time.perf_counter()
        update()
        if where.type == "cuda":
            torch.cuda.synchronize(where)
        found.append(time.perf_counter() - start)
    return found[1:]


@dataclass(frozen=True)
class Row:
    """What was measured of one way: seconds of each update, and the greatest memory of the device in GB (0 on a CPU)."""

    name: str
    took: list[float]
    peak_gb: float


def measure(base: Path, samples: list[Sample], where: torch.device, count: int) -> list[Row]:
    """All rows, coqui's first and last."""
    every = torch.get_num_threads()

    def row(name: str, make: Callable[[], Callable[[], object]], threads: int) -> Row:
        torch.set_num_threads(threads or every)
        if where.type == "cuda":
            torch.cuda.reset_peak_memory_stats(where)
        took = timed(make(), count, where)
        return Row(name, took, torch.cuda.max_memory_allocated(where) / 1e9 if where.type == "cuda" else 0.0)

    def as_torch_ships() -> None:
        torch.use_deterministic_algorithms(False)
        torch.utils.deterministic.fill_uninitialized_memory = True
        torch.set_float32_matmul_precision("highest")

    alone = 1 if where.type == "cpu" else 0
    as_torch_ships()
    rows = [row("coqui's GPTTrainer", lambda: coquis(base, samples, where), alone)]
    for way in ON_CPU if where.type == "cpu" else ON_GPU:
        device.seed_everything(1, deterministic=way.deterministic)
        rows.append(row(way.name, lambda way=way: ours(base, samples, way, where), way.threads))
    as_torch_ships()
    return [*rows, row("coqui's GPTTrainer again", lambda: coquis(base, samples, where), alone)]


def floor_of(base: Path, samples: list[Sample], where: torch.device) -> floor.UpdateFloor:
    """What the update of the last row takes at least. Its products are counted by torch."""
    update = ours(base, samples, ON_GPU[-1], where)
    with FlopCounterMode(display=False) as counter:
        update()
    weights = sum(weight.numel() for name, weight in xtts.read_weights(base / "model.pth").items() if name.startswith("gpt."))
    flop_per_s, bytes_per_s = floor.flop_per_s(where, torch.bfloat16), floor.bytes_per_s(where)
    return floor.UpdateFloor(counter.get_total_flops(), floor.ADAMW_BYTES * weights, flop_per_s, bytes_per_s)


def table(rows: list[Row], least: floor.UpdateFloor | None) -> str:
    """Median and range of each, and how many times faster than coqui's first row, as Markdown; with a floor also how near it comes."""
    stock_s = statistics.median(rows[0].took)
    head, rule = "| each row has the levers above it | an update, s | coqui / this |", "|---|---|---|"
    if least:
        head, rule = f"{head} this / floor | peak GB |", f"{rule}---|---|"
    lines = []
    for row in rows:
        middle_s, fast_s, slow_s = statistics.median(row.took), min(row.took), max(row.took)
        line = f"| {row.name} | {middle_s:.3f} ({fast_s:.3f} to {slow_s:.3f}) | {stock_s / middle_s:.2f} "
        line += f"({stock_s / slow_s:.2f} to {stock_s / fast_s:.2f}) |"
        lines.append(f"{line} {middle_s / least.seconds:.1f} | {row.peak_gb:.1f} |" if least else line)
    return "\n".join([head, rule, *lines])


def main() -> None:
    """Make the base, measure every row."""
    args = parse_args()
    base = args.folder / "base"
    if not (base / "config.json").is_file():
        make_base(base, ROOT / "models" / "pocket" / "xtts")
    where = device.pick(args.device)
    samples = longest_clips(args.dataset, base, where)
    seconds = ", ".join(f"{sample.length / 22050:.1f} s" for sample in samples)
    print(f"{CLIPS} clips of {seconds}; {where}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    rows = measure(base, samples, where, args.updates)
    least = floor_of(base, samples, where) if where.type != "cpu" else None
    print(table(rows, least))
    if least:
        print(f"\n{least.describe()}")


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dataset", type=Path, default=Path("data/dataset"))
    parser.add_argument("--updates", type=int, default=3, help="timed, of each row (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: %(default)s)")
    return parser.parse_args()


if __name__ == "__main__":
    command.run(main)
