"""What the processes of one training tell each other."""

import os
from typing import Any

import torch
from accelerate.utils import broadcast_object_list


def is_first() -> bool:
    """Whether this process is the first of all, or alone."""
    return os.environ.get("RANK", "0") == "0"


def from_first(value: Any) -> Any:
    """The first process's value, in every process."""
    if not torch.distributed.is_initialized():
        return value
    (shared,) = broadcast_object_list([value])
    return shared


def highest(number: int, device: torch.device) -> int:
    """The highest of the processes' numbers."""
    if not torch.distributed.is_initialized():
        return number
    tensor = torch.tensor(number, device=device)
    torch.distributed.all_reduce(tensor, torch.distributed.ReduceOp.MAX)
    return int(tensor)
