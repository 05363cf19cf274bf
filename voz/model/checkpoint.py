"""Checkpoint files: written atomically, the same bytes for the same content, read without running code."""

from pathlib import Path
from typing import Any

import torch

from voz.pipeline import files


def write(path: Path, content: dict[str, Any]) -> None:
    """Write atomically, through an open file: given a path, torch would name the folder in the zip after it, which changes the bytes."""
    with files.atomic(path) as file:
        torch.save(content, file)


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint of `write`, onto the CPU."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's weights on the CPU."""
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
