"""Fine-tuned weights part of the way back to the base's (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903), in the lower layers.

In a GPT fine-tuned on minutes of speech the upper layers bring the accent, and the lower ones forget words that the notes do
not hold: measured on the pocket base, pocket/LOG.md.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def lower_half(gpt: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The weights of the lower half of a GPT's layers, by name."""
    layer_of = {name: int(found[1]) for name, _ in gpt.named_parameters() if (found := re.match(r"gpt\.h\.(\d+)\.", name))}
    half = (max(layer_of.values()) + 1) // 2
    return {name: weight for name, weight in gpt.named_parameters() if layer_of.get(name, half) < half}


class Interpolation:
    """Shows a GPT in training as it would be exported.

    Args:
        share: of what the lower half of the layers has learnt, kept; 1 changes nothing and costs nothing.
    """

    def __init__(self, gpt: torch.nn.Module, share: float) -> None:
        self.share = share
        self.weights = lower_half(gpt) if share < 1 else {}
        self.base = {name: weight.detach().clone() for name, weight in self.weights.items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this block the GPT has the interpolated weights; after it, its own to the last bit."""
        own = {name: weight.detach().clone() for name, weight in self.weights.items()}
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.base[name].lerp(weight, self.share))
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(own[name])
