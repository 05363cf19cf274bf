"""A step's gradients as one CUDA graph: a small model's GPU otherwise waits for 2 000 kernels to be started one by one."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

WARM_UP = 3  # calls before the capture, for cuDNN to choose its kernels (https://docs.pytorch.org/docs/stable/notes/cuda.html, CUDA graphs)


class GradientGraph:
    """A function that computes gradients of a module: captured at the first call, replayed with new inputs from then on.

    function: takes tensors that always have the same shapes, adds to the gradients and returns named tensors. Nothing else may change.
    module: whose gradients; it has none yet when this is called.
    """

    def __init__(self, function: Callable[..., dict[str, torch.Tensor]], module: nn.Module) -> None:
        self.function, self.module = function, module
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """What the function returns; the tensors are overwritten by the next call."""
        if self.graph is None:
            self.capture(inputs)
        else:
            for mine, new in zip(self.inputs, inputs, strict=True):
                mine.copy_(new)
        assert self.graph is not None
        self.graph.replay()
        for parameter, gradient in zip(self.module.parameters(), self.gradients, strict=True):
            parameter.grad = gradient
        return self.outputs

    def capture(self, inputs: Sequence[torch.Tensor]) -> None:
        """Call the function for its kernels; nothing that it computes is kept."""
        self.inputs = [given.clone() for given in inputs]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(*self.inputs)
                self.module.zero_grad(set_to_none=True)
        torch.cuda.current_stream().wait_stream(stream)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.outputs = self.function(*self.inputs)
        self.gradients = [parameter.grad for parameter in self.module.parameters()]
