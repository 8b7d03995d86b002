"""The memory layout in which convolutions are fastest."""

from collections.abc import Callable

import torch
from torch import nn


def lay_channels_last(model: nn.Module, run: Callable[[], object]) -> bool:
    """Let a model's weights lie channel by channel last, where it runs so.

    Convolutions pass the layout of their weights on to their output. A model that
    takes a view of a map as if it lay row by row cannot run with it, and is left as it
    was.

    Args:
        model: The model; changed in place.
        run: Runs it once.

    Returns:
        Whether its weights lie so now.

    Source: PyTorch, "Channels Last Memory Format"
    (docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html).
    """
    _lay(model, torch.channels_last)
    try:
        run()
    except RuntimeError:
        _lay(model, torch.contiguous_format)
        return False
    return True


def _lay(model: nn.Module, layout: torch.memory_format) -> None:
    for parameter in model.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.to(memory_format=layout)
