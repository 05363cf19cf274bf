"""Checkpoint files: written atomically, the same bytes for the same content, read without running code."""

import os
from pathlib import Path
from typing import Any

import torch


def write(path: Path, content: dict[str, Any]) -> None:
    """Write through a temporary file (`.<name>.<pid>.tmp`), fsync and rename.

    torch names the zip's inner folder after the file: through an open file it is always `archive`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """Read what `write` wrote, onto the CPU."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return content


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's weights on the CPU."""
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
