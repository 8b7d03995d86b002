"""The memory layout in which convolutions are fastest."""

from collections import Counter
from collections.abc import Callable

import torch
from torch import nn

PIECE = 2**18
"""Number of weights moved at once: a copy of more would leave the CPU's cache."""


def lay_channels_last(
    model: nn.Module, run: Callable[[], object], in_place: bool = False
) -> bool:
    """Store a model's weights in channels-last format, if it can run with it.

    Convolutions pass the layout of their weights on to their output. A model that
    takes a view of a feature map as if it were contiguous cannot run with it, and is
    left as it was.

    Args:
        model: The model; changed in place.
        run: Runs it once.
        in_place: Whether to reuse the memory of the weights, which is faster than
            allocating new memory; only the model may hold references to them.

    Returns:
        Whether its weights are now channels-last.

    Raises:
        torch.OutOfMemoryError: If running it takes too much memory, which says nothing
            about the layout.

    Source: PyTorch, "Channels Last Memory Format"
    (docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html).
    """
    _lay(model, torch.channels_last, in_place)
    try:
        run()
    except torch.OutOfMemoryError:
        raise
    except RuntimeError:
        _lay(model, torch.contiguous_format, in_place)
        return False
    return True


def _lay(model: nn.Module, layout: torch.memory_format, in_place: bool) -> None:
    owners = Counter(p.untyped_storage().data_ptr() for p in model.parameters())
    for parameter in model.parameters():
        weight = parameter.data
        if weight.dim() != 4 or not weight.numel():
            continue
        if weight.is_contiguous(memory_format=layout):
            continue
        storage = weight.untyped_storage()
        shared = owners[storage.data_ptr()] > 1 or len(storage) != weight.nbytes
        rows_first = weight.stride(0) * len(weight) == weight.numel()
        if shared or not rows_first or not in_place:
            parameter.data = weight.to(memory_format=layout)
            continue
        strides = torch.empty_like(weight, device='meta', memory_format=layout).stride()
        laid = weight.as_strided(weight.shape, strides)
        rows = max(PIECE * len(weight) // weight.numel(), 1)
        for old, new in zip(weight.split(rows), laid.split(rows), strict=True):
            new.copy_(old.clone())
        parameter.data = laid
