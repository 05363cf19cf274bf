"""The weights in a model's folder: whole, or as an adapter to those of a base."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from voz.model import checkpoint, lora, xtts
from voz.pipeline import cache, cache_folders, files
from voz.pipeline.command import UserError

CONFIGURATION = ("config.json", "vocab.json")
WHOLE = ("model.pth", *CONFIGURATION)
ADAPTED = (lora.FILE, *CONFIGURATION)
DTYPES = {"fp16": torch.float16, "fp32": torch.float32}  # by train.export_dtype
LOSS_VERSION = 1  # raise when the same training has another loss as it is stored


@dataclass(frozen=True)
class StoredModel:
    """A model on the disk.

    base: the folder of the base that the adapter belongs to; None if the weights are whole.
    hash: SHA-256 of everything that decides the model.
    """

    folder: Path
    base: Path | None
    hash: str

    def load(self, device: torch.device) -> xtts.Xtts:
        """The model for inference, in float32, with the adapter merged."""
        model = xtts.load_model(self.base or self.folder, device=device)
        if self.base:
            lora.read(self.folder / lora.FILE).merge_into(model.state_dict())
        return model

    def weights(self) -> dict[str, torch.Tensor]:
        """The weights as `model.pth` would have them, with the adapter merged; then the GPT's are in float32."""
        state = xtts.read_weights((self.base or self.folder) / "model.pth")
        if self.base:
            state = {name: value.float() if name.startswith("gpt.") else value for name, value in state.items()}
            lora.read(self.folder / lora.FILE).merge_into(state)
        return state


def hash_of(folder: Path) -> str:
    """SHA-256 of a folder of whole weights, by which an adapter knows its base."""
    return files.hash_files(folder, WHOLE)


def find(folder: Path, base: Path | None = None) -> StoredModel:
    """The model in a folder. base: the folder of a base, which an adapter needs and whole weights do not.

    Raises:
        UserError: files are missing; the adapter belongs to another base.
    """
    if not is_adapted(folder):
        xtts.require(folder, WHOLE)
        return StoredModel(folder, None, hash_of(folder))
    if base is None:
        raise UserError("{folder}: an adapter, which needs its base", "name the folder of the base", folder=folder)
    xtts.require(base, WHOLE)
    wanted, found = lora.read(folder / lora.FILE).base, hash_of(base)
    if wanted != found:
        raise UserError(
            "{folder}: its adapter belongs to another base than {base} (SHA-256 {wanted}, not {found})",
            "write the base that it was trained from in params.yaml (base)",
            folder=folder,
            base=base,
            wanted=wanted[:12],
            found=found[:12],
        )
    return StoredModel(folder, base, files.hash_files(folder, ADAPTED))


def is_adapted(folder: Path) -> bool:
    """True if a folder holds an adapter."""
    return (folder / lora.FILE).is_file() and not (folder / "model.pth").is_file()


def write(folder: Path, weights: dict[str, torch.Tensor]) -> None:
    """Write the weights of a whole `Xtts` as `model.pth`, which stock coqui-tts loads: it converts them to float32."""
    checkpoint.write(folder / "model.pth", {"model": {name: weights[name].contiguous() for name in sorted(weights)}})


def eval_loss(compute: Callable[[], float], training: str, dtype: str) -> float:
    """The eval loss of weights as they are stored, from the cache where they were stored in this dtype before.

    Args:
        compute: the loss of the weights, which are already rounded.
        training: that they come from, by its key in the cache.
        dtype: one of DTYPES.

    Raises:
        UserError: a weight is too large for `dtype`.
    """
    store = cache.Cache("stored_loss", LOSS_VERSION, params={"export_dtype": dtype}, model=training)
    (loss,) = store.map(
        [compute],
        key=lambda _: store.key(),
        work=lambda each, entry: cache_folders.save_json(entry, "loss.json", {"loss": _finite(each(), dtype)}),
        load=lambda entry: float(cache_folders.load_json(entry, "loss.json")["loss"]),
        label="stored weights",
    )
    return loss


def _finite(loss: float, dtype: str) -> float:
    if not math.isfinite(loss):
        raise UserError("training: stored in {dtype} the eval loss is {loss}", "write train.export_dtype: fp32", dtype=dtype, loss=loss)
    return loss
