"""Which tensors of a GPT a training changes. Full fine-tuning and LoRA differ here and in what a voice's folder holds, nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from voz.pipeline.command import UserError

_ADAPTER = ".lora_"  # in the name of every tensor that peft adds
_ADAPTER_B = ".lora_B."


@dataclass(frozen=True)
class Learned:
    """The parameters of a GPT by what a training does with them, by name.

    trained: what the optimizer moves; all that a training saves and restores of the model.
    linear: those of them in which the weights of the layers are linear, so that they can be interpolated with their values before the
        training: all of them, or of adapters only B, which is zero before it (a layer has W + s B A).
    exported: what a voice's folder holds of the GPT: all of it, or only adapters.
    """

    trained: dict[str, torch.nn.Parameter]
    linear: dict[str, torch.nn.Parameter]
    exported: dict[str, torch.nn.Parameter]

    def state(self) -> dict[str, torch.Tensor]:
        """What is trained, on the CPU."""
        return {name: weight.detach().cpu().contiguous() for name, weight in self.trained.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take the values of `state`.

        Raises:
            UserError: it is of another model or another method.
        """
        if state.keys() != self.trained.keys():
            raise UserError("training: the saved state is of other weights", "delete .cache/train: it is trained again")
        for name, weight in self.trained.items():
            weight.copy_(state[name])

    @torch.no_grad()
    def round_to(self, dtype: torch.dtype) -> None:
        """Give what is exported the values that it has in `dtype`."""
        for weight in self.exported.values():
            weight.copy_(weight.to(dtype))

    def stored(self, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """What is exported, in `dtype`, on the CPU."""
        return {name: weight.detach().to("cpu", dtype).contiguous() for name, weight in self.exported.items()}


def of(gpt: torch.nn.Module) -> Learned:
    """What is learned of a GPT, given which of its parameters have a gradient and whether it has adapters."""
    weights = dict(gpt.named_parameters())
    trained = {name: weight for name, weight in weights.items() if weight.requires_grad}
    if not any(_ADAPTER in name for name in weights):
        return Learned(trained, linear=trained, exported=weights)
    return Learned(trained, {name: weight for name, weight in trained.items() if _ADAPTER_B in name}, trained)
