"""Skipping random initialisation of weights that are about to be loaded."""

from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

DRAWING = {
    Tensor.normal_,
    Tensor.uniform_,
    nn.init.kaiming_uniform_,
    nn.init.normal_,
    nn.init.uniform_,
}
"""Functions that fill tensors randomly; PyTorch's other initialisers use these."""


class Undrawn(TorchFunctionMode):
    """Sets parameters to 0 instead of drawing them at random.

    For a model whose parameters are all loaded after it is built: drawing those of a
    large network takes longer than reading them. Buffers, and values that a model
    computes from random numbers that are not parameters, stay as usual.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Write zeros instead of random numbers."""
        if func in DRAWING:
            drawn = args[0] if args else kwargs['tensor']
            if isinstance(drawn, nn.Parameter):
                drawn.detach().zero_()
                return drawn
        return func(*args, **(kwargs or {}))
