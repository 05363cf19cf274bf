"""Which device computes, and how reproducibly."""

import os
import random

import numpy as np
import torch

from voz.pipeline.command import UserError


def pick(name: str) -> torch.device:
    """The device for `compute.device`: `auto` takes the accelerator (CUDA or ROCm) where there is one, else the CPU.

    Raises:
        UserError: the named device is not there.
    """
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found if found is not None and found.type == "cuda" else torch.device("cpu")  # ROCm's torch says "cuda" too
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"params.yaml: compute.device: {name!r} is not usable here ({str(error).splitlines()[0]})", "write auto or cpu"
        ) from error
    return device


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch on every device, and ask for deterministic kernels."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is reproducible only with a fixed workspace
    torch.use_deterministic_algorithms(True, warn_only=True)
