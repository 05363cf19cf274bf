"""Interpolation between the base's and the fine-tuned weights (WiSE-FT, Wortsman et al. 2022, arXiv:2109.01903), in the lower layers.

A GPT that is fine-tuned on minutes of speech learns the accent in its upper layers, while its lower layers forget words that the
notes lack. Measured on the pocket base: pocket/LOG.md.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch


def lower_half(weights: Mapping[str, torch.nn.Parameter]) -> dict[str, torch.nn.Parameter]:
    """Those in the lower half of a GPT's layers. weights: by name; some are in the last layer"""
    layer_of = {name: int(found[1]) for name in weights if (found := re.match(r"gpt\.h\.(\d+)\.", name))}
    half = (max(layer_of.values()) + 1) // 2
    return {name: weight for name, weight in weights.items() if layer_of.get(name, half) < half}


class Interpolation:
    """Temporarily applies the interpolated weights to a GPT in training.

    Args:
        weights: of the GPT, by name, with the values from before the training. The layers must be linear in them (`Learned.linear`):
            then alpha also is the share that is left of what an adapter adds to a layer.
        alpha: weight of the fine-tuned weights in the lower half of the layers, from 0 (the base) to 1 (no interpolation).
    """

    def __init__(self, weights: Mapping[str, torch.nn.Parameter], alpha: float) -> None:
        self.alpha = alpha
        self.weights = lower_half(weights) if alpha < 1 else {}
        self.base = {name: weight.detach().clone() for name, weight in self.weights.items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within this block the GPT has the interpolated weights; after it, exactly its own again."""
        own = {name: weight.detach().clone() for name, weight in self.weights.items()}
        with torch.no_grad():
            for name, weight in self.weights.items():
                weight.copy_(self.base[name].lerp(weight, self.alpha))
        try:
            yield
        finally:
            with torch.no_grad():
                for name, weight in self.weights.items():
                    weight.copy_(own[name])
