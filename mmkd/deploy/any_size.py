"""Adaptive pooling in a form that ONNX can express for images of any size."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.overrides import TorchFunctionMode


def area_pool(maps: Tensor, output_size: Any) -> Tensor:
    """``F.adaptive_avg_pool2d`` as products with one matrix each for rows and columns.

    ONNX has no such operator, and PyTorch's exporter fixes the size of the cells to
    that in the traced image.

    Args:
        maps: ``(N, C, H, W)``.
        output_size: Number of cells, one for both directions or one for each; None for
            as many as there are pixels.

    Returns:
        The mean of each cell, ``(N, C, *output_size)``.
    """
    if not isinstance(output_size, (tuple, list)):
        output_size = (output_size, output_size)
    rows, columns = output_size
    if columns is not None:
        maps = maps @ _cells(maps.shape[3], columns, maps).T
    return maps if rows is None else _cells(maps.shape[2], rows, maps) @ maps


def _cells(length: int, count: int, like: Tensor) -> Tensor:
    """The weight of each pixel in the mean of each cell, ``(count, length)``."""
    numbers = torch.arange(count, device=like.device)[:, None]
    first = numbers * length // count
    end = ((numbers + 1) * length + count - 1) // count
    pixels = torch.arange(length, device=like.device)
    inside = ((pixels >= first) & (pixels < end)).to(like.dtype)
    return inside / inside.sum(1, keepdim=True)


class AnySize(TorchFunctionMode):
    """Replaces adaptive pooling by :func:`area_pool`.

    Pooling into a single cell is a mean, which ONNX has.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Intercept adaptive pooling."""
        kwargs = kwargs or {}
        if func is F.adaptive_avg_pool2d:
            size = args[1] if len(args) > 1 else kwargs['output_size']
            if size not in (1, (1, 1), [1, 1]):
                return area_pool(args[0] if args else kwargs['input'], size)
        return func(*args, **kwargs)
