"""What a device does at best, measured where the benchmark runs: the floor that no program gets under.

An update of a training multiplies, and AdamW reads and writes every weight that learns; a code that is generated reads all matrices of
the GPT. Neither can take less time than the device needs for these products and bytes alone.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from voz.audio import wav
from voz.model import dvae

COPIED_FLOATS = 2**28  # 1 GB: more than any cache holds
PRODUCT_SIZE = 8192  # rows and columns: large enough for a device's full speed
REPEATS = 10
ADAMW_BYTES = 28  # per weight in float32: weight, gradient and two moments are read, weight and moments written


@dataclass(frozen=True)
class UpdateFloor:
    """What an update of a training takes at least.

    flop: of its products, both passes.
    optimizer_bytes: that AdamW reads and writes.
    flop_per_s, bytes_per_s: what the device does in bf16 products, and in a copy.
    """

    flop: float
    optimizer_bytes: float
    flop_per_s: float
    bytes_per_s: float

    @property
    def seconds(self) -> float:
        """Products and optimizer, one after the other."""
        return self.flop / self.flop_per_s + self.optimizer_bytes / self.bytes_per_s

    def describe(self) -> str:
        """One line."""
        return (
            f"floor {self.seconds * 1e3:.1f} ms: {self.flop / 1e12:.2f} TFLOP at {self.flop_per_s / 1e12:.0f} TFLOP/s (bf16 products of "
            f"{PRODUCT_SIZE} rows and columns), {self.optimizer_bytes / 1e9:.1f} GB of the optimizer at {self.bytes_per_s / 1e12:.2f} TB/s "
            "(a copy)"
        )


def bytes_per_s(device: torch.device) -> float:
    """That a copy within the device's memory reads and writes."""
    source = torch.ones(COPIED_FLOATS, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _fastest_s(lambda: target.copy_(source), device)


def flop_per_s(device: torch.device, dtype: torch.dtype) -> float:
    """Of a large product of matrices."""
    a, b = (torch.ones(PRODUCT_SIZE, PRODUCT_SIZE, device=device, dtype=dtype) for _ in range(2))
    return 2.0 * PRODUCT_SIZE**3 / _fastest_s(lambda: a @ b, device)


def real_time_factor(gpt: torch.nn.Module, bytes_per_s: float) -> float:
    """Of one line whose codes take no more time than reading the GPT's matrices in float32 once for each."""
    matrices = [*gpt.gpt.h.parameters(), *gpt.mel_head.parameters()]
    codes_per_s = wav.SAMPLE_RATE_HZ / dvae.STRIDE
    return 4.0 * sum(weight.numel() for weight in matrices) / bytes_per_s * codes_per_s


def _fastest_s(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of the fastest of some runs."""
    found = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        run()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        found.append(time.perf_counter() - start)
    return min(found)
