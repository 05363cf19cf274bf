"""Checkpoint files: written atomically, the same bytes for the same content, read without running code."""

import pickle
import re
from pathlib import Path
from typing import IO, Any

import torch

from voz.pipeline import files
from voz.pipeline.command import UserError

# What torch.load raises for a damaged file, by where the damage is: the zip, the pickle, a name, a length, a type.
UNREADABLE = (
    RuntimeError,
    EOFError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    AssertionError,
    OverflowError,
    pickle.UnpicklingError,
)


def write(path: Path, content: dict[str, Any]) -> None:
    """Write atomically, through an open file: given a path, torch would name the folder in the zip after it, which changes the bytes."""
    with files.atomic(path) as file:
        target = _Target(file)
        try:
            torch.save(content, target)
        except RuntimeError:
            if target.error is not None:  # torch reports a full disk as a RuntimeError of its own
                raise target.error from None
            raise


class _Target:
    """A file for torch to write to, which keeps the error of a write that failed."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self.file.write(data)
        except OSError as error:
            self.error = error
            raise

    def flush(self) -> None:
        self.file.flush()


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint of `write`, onto the CPU.

    Raises:
        UserError: the file is damaged.
    """
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise UserError(
            "{path}: not a readable checkpoint ({reason})",
            "remove {folder}: it is computed again",
            path=path,
            reason=fault(error),
            folder=path.parent,
        ) from error
    return content


def fault(error: Exception) -> str:
    """Why torch could not read a file, in a few words. Torch's own message may advise to run the code that is in the file."""
    code = re.search(r"Unsupported global: GLOBAL (\S+)", str(error))
    if code:
        return f"it holds more than weights: {code[1]}"
    if isinstance(error, pickle.UnpicklingError) or not str(error):
        return "it is damaged, or something else"
    return str(error).splitlines()[0].split(". ")[0]  # a sentence; further ones guess at the cause


def weights(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's weights on the CPU."""
    return {key: value.detach().cpu().contiguous() for key, value in module.state_dict().items()}
