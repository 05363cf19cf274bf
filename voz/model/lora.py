"""Low-rank adapters on the layers of a GPT (LoRA, Hu et al. 2021, arXiv:2106.09685): put in by peft, stored, and merged into a base.

A layer's weight W becomes W + s B A. A and B have few numbers and are all that learns; B is zero before the training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import peft
import torch

from voz.model import checkpoint
from voz.pipeline.command import UserError

FILE = "adapter.pth"
TARGETS = ("c_attn", "c_proj", "c_fc")  # every matrix of a GPT-2 layer: attention in and out, feed-forward in and out
_A, _B = ".lora_A.weight", ".lora_B.weight"
_NAME = "default"  # of peft's only adapter, in the names of its tensors


@dataclass(frozen=True)
class Settings:
    """See `train.lora_…` in params.yaml. seed: of the first values of A."""

    rank: int
    alpha: float
    dropout: float
    seed: int

    @property
    def scaling(self) -> float:
        """The factor of B A."""
        return self.alpha / self.rank


def inject(gpt: torch.nn.Module, settings: Settings, layers: Literal["all"] | int = "all") -> None:
    """Give the layers of an XTTS GPT adapters, which learn; its other weights no longer do.

    Args:
        layers: how many of the upper layers; "all" = all.
    """
    count = len(gpt.gpt.h)
    upper = range(0 if layers == "all" else count - layers, count)
    config = peft.LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type]
        lora_dropout=settings.dropout,
        target_modules=rf"h\.({'|'.join(map(str, upper))})\..*\.({'|'.join(TARGETS)})",
        fan_in_fan_out=True,  # GPT-2's Conv1D stores a matrix as [in, out]
    )
    gpt.requires_grad_(False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        peft.inject_adapter_in_model(config, gpt.gpt, adapter_name=_NAME)


@dataclass(frozen=True)
class Adapter:
    """What a training learned, apart from the base that it belongs to.

    base: SHA-256 of the base, see `stored.hash_of`.
    scaling: the factor of B A.
    weights: by layer of the model (`gpt.gpt.h.0.attn.c_attn`) and `.lora_A.weight` [rank, in] or `.lora_B.weight` [out, rank].
    """

    base: str
    scaling: float
    weights: dict[str, torch.Tensor]

    def write(self, path: Path) -> None:
        """Write the file, which `torch.load` reads with `weights_only=True`."""
        checkpoint.write(path, {"base": self.base, "scaling": self.scaling, "weights": self.weights})

    @torch.no_grad()
    def merge_into(self, weights: dict[str, torch.Tensor]) -> None:
        """Add the adapter to the weights of the base, in place. weights: by name in the model, in float32

        Raises:
            UserError: the base lacks a layer, or has another width.
        """
        for name, a in self.weights.items():
            if not name.endswith(_A):
                continue
            layer = name.removesuffix(_A)
            b, weight = self.weights[layer + _B], weights.get(f"{layer}.weight")
            if weight is None or weight.shape != (a.shape[1], b.shape[0]):
                raise UserError(
                    "{file}: the base has no layer {layer} of its width", "use the base that it was trained from", file=FILE, layer=layer
                )
            weight += self.scaling * (b.float() @ a.float()).T.to(weight.device)


def adapter_of(exported: dict[str, torch.Tensor], *, base: str, scaling: float) -> Adapter:
    """The adapter of a GPT with peft's names. exported: see `Learned.stored`"""
    return Adapter(base, scaling, {f"gpt.{name.replace(f'.{_NAME}.weight', '.weight')}": weight for name, weight in exported.items()})


def read(path: Path) -> Adapter:
    """Read an adapter.

    Raises:
        UserError: missing, damaged, or something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        base, scaling, weights = content["base"], content["scaling"], content["weights"]
        pairs = {name.removesuffix(_A).removesuffix(_B) for name in weights}
        whole = weights.keys() == {layer + end for layer in pairs for end in (_A, _B)}
        known = isinstance(base, str) and isinstance(scaling, float) and all(isinstance(each, torch.Tensor) for each in weights.values())
        if not (whole and known):
            raise ValueError("it has no adapter")
    except (OSError, *checkpoint.UNREADABLE) as error:
        raise UserError(
            "{path}: not a readable adapter ({reason})", "run `dvc checkout`, or `dvc pull`", path=path, reason=checkpoint.fault(error)
        ) from error
    return Adapter(base, scaling, weights)
