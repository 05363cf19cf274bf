"""Products with the fixed matrices of a GPT, laid out in memory as the processor multiplies them fastest.

On a CPU that is oneDNN's own layout. For the 16 rows of a generation step it is 3 times as fast as torch's plain one, and 6 times in bf16
(1024 x 4096, AMD EPYC with AVX-512, torch 2.13; `bench_speak`). A row's product is then the same to the last bit, however many rows are
multiplied with it: that a line sounds the same beside any others rests on this (tests/test_generation.py).
"""

from typing import Literal

import torch
import torch.nn.functional as F
from transformers.pytorch_utils import Conv1D

Precision = Literal["fp32", "bf16"]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class Product:
    """x W + b, then GELU if wanted. Rows come in float32 and go out in float32. [N, in] -> [N, out]

    Args:
        module: a linear layer, GPT-2's Conv1D, or one of these within peft's adapter, whose share is added to W.
        gelu: the tanh form, as in GPT-2.
    """

    def __init__(self, module: torch.nn.Module, precision: Precision, *, gelu: bool = False) -> None:
        dtype, weight = DTYPES[precision], _weight(module)
        self.gelu = gelu
        self.dtype = dtype
        self.bias = _bare(module).bias.detach().to(dtype)
        self.packed = weight.device.type == "cpu" and packs(dtype)
        self.weight = weight.to(dtype).contiguous()
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight, None)

    def __call__(self, rows: torch.Tensor) -> torch.Tensor:
        rows = rows.to(self.dtype)
        if not self.packed:
            product = F.linear(rows, self.weight, self.bias)
            return (F.gelu(product, approximate="tanh") if self.gelu else product).float()
        after, form = ("gelu", "tanh") if self.gelu else ("none", "")
        single = len(rows) == 1  # a single row would be summed in another order
        product = torch.ops.mkldnn._linear_pointwise(
            rows.expand(2, -1).contiguous() if single else rows, self.weight, self.bias, after, [], form
        )
        return (product[:1] if single else product).float()


def packs(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies in this type on this CPU."""
    return torch.backends.mkldnn.is_available() and (dtype == torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _bare(module: torch.nn.Module) -> torch.nn.Module:
    """The layer itself, without peft's adapter."""
    bare: torch.nn.Module = getattr(module, "base_layer", module)
    return bare


def _weight(module: torch.nn.Module) -> torch.Tensor:
    """The matrix of a layer with its adapter's share. [out, in]"""
    bare = _bare(module)
    weight: torch.Tensor = bare.weight.detach()
    if not getattr(module, "merged", False):
        for name in getattr(module, "active_adapters", []):
            weight = weight + module.get_delta_weight(name).detach()
    return weight.T if isinstance(bare, Conv1D) else weight
