"""Which device computes, and how reproducibly."""

import os
import random

import numpy as np
import torch

from voz.pipeline.command import UserError


def pick(name: str) -> torch.device:
    """The device for `compute.device`: `auto` takes the accelerator (CUDA or ROCm) where there is one, else the CPU.

    Of several processes of one training (voz/model/processes.py), each takes another accelerator.

    Under ROCm, MIOpen is told not to search kernels for each new shape (docs/rocm.md), unless the user has set its mode.

    Raises:
        UserError: the named device is not there.
    """
    if torch.version.hip:
        os.environ.setdefault("MIOPEN_FIND_MODE", "2")  # read at the first convolution
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        name = "cuda" if found is not None and found.type == "cuda" else "cpu"  # ROCm's torch says "cuda" too
    if name == "cuda" and "LOCAL_RANK" in os.environ:
        name = f"cuda:{os.environ['LOCAL_RANK']}"
    try:
        return torch.empty(1, device=torch.device(name)).device  # with the index, which a name may lack
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            "params.yaml: compute.device: {name!r} is not usable here ({reason})",
            "write auto or cpu",
            name=name,
            reason=str(error).splitlines()[0],
        ) from error


def require_precision(precision: str, device: torch.device) -> None:
    """Refuse a precision that the device has no arithmetic for.

    Raises:
        UserError: bf16 on RDNA 1 or 2, where a Triton kernel in bf16 aborts the process (docs/rocm.md).
    """
    arch = torch.cuda.get_device_properties(device).gcnArchName if device.type == "cuda" and torch.version.hip else ""
    if precision == "bf16" and lacks_bf16(arch):
        raise UserError("params.yaml: precision: bf16 does not run on {arch}", "write fp32 (docs/rocm.md)", arch=arch)


def lacks_bf16(arch: str) -> bool:
    """Whether an AMD chip (`gfx1030`) has no BF16 arithmetic, whatever `torch.cuda.is_bf16_supported` says: RDNA 1 and 2.

    Source: AMD, https://rocm.docs.amd.com/projects/HIP/en/docs-6.3.2/reference/hardware_features.html
    """
    return arch.startswith("gfx10")


def seed_everything(seed: int, *, deterministic: bool = True) -> None:
    """Seed Python, NumPy and torch on every device.

    Args:
        deterministic: ask for kernels that give the same digits every time. False takes the fastest, and TF32 where there is some.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible only with a fixed workspace
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # else torch fills all memory before it is written: 5 % of a training step
    torch.set_float32_matmul_precision("highest" if deterministic else "high")
    torch.backends.cudnn.allow_tf32 = not deterministic  # of convolutions; torch's own default is True
