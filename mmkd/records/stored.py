"""How the value of one tap is stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

Precision = Literal['float32', 'float16', 'int8']
PRECISIONS = get_args(Precision)

STEPS = 127
"""Steps of an 8-bit number on each side of zero."""


@dataclass(frozen=True)
class StoredTap:
    """How one tap is stored for one view.

    Attributes:
        name: The tap.
        shape: Shape of its value without the batch, ``(K,)`` or ``(C, H, W)``.
        dtype: ``'float32'`` is exact; ``'float16'`` rounds to 11 bits; ``'int8'``
            divides each channel, or the vector, by its largest absolute value and
            rounds to 255 steps.
        reduce: How many pixels of a map, in height and width, are averaged into one
            for storage; on reading, the map is interpolated to its original size.
            Where that is not a multiple, the last pixel is the mean of fewer.
        channels_last: Whether maps are read back in channels-last layout, as the
            teacher returned them: losses sum over a map in memory order.

    Raises:
        ValueError: If the dtype is none of them, or ``reduce`` is not a whole number
            of at least 1, or above 1 for a value without pixels.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Precision = 'float16'
    reduce: int = 1
    channels_last: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        if self.dtype not in PRECISIONS:
            raise ValueError(
                f'dtype must be one of {", ".join(PRECISIONS)}, got {self.dtype!r}.'
            )
        is_number = type(self.reduce) is int and self.reduce >= 1
        if not is_number or (self.reduce > 1 and len(self.shape) != 3):
            raise ValueError(
                f'{self.name} of shape {self.shape} cannot be reduced by '
                f'{self.reduce!r}: only maps can be, by a whole number.'
            )

    @property
    def held(self) -> tuple[int, ...]:
        """The shape that is stored."""
        if self.reduce == 1:
            return self.shape
        channels, *size = self.shape
        return channels, *(-(-length // self.reduce) for length in size)

    @property
    def fields(self) -> list[tuple[str, str, tuple[int, ...]]]:
        """The parts of a row that hold it: name, NumPy type and shape."""
        kind = np.dtype(self.dtype).newbyteorder('<').str
        parts = [('values', kind, self.held)]
        if self.dtype == 'int8':
            # One per channel, or one for the vector.
            parts.append(('scale', '<f4', self.held[:1] if self.is_map else (1,)))
        return parts

    @property
    def is_map(self) -> bool:
        """Whether it is a map of pixels."""
        return len(self.shape) > 1

    def encode(self, values: Tensor) -> dict[str, np.ndarray]:
        """Encode values for storage.

        Args:
            values: ``(N, *shape)``.

        Returns:
            For each of :attr:`fields` an array with N entries.

        Raises:
            ValueError: If a value is not finite, or too large for the dtype.
        """
        values = values.detach().float()
        if self.reduce > 1:
            values = avg_pool2d(values, self.reduce, ceil_mode=True)
        parts = {'values': values}
        if self.dtype == 'int8':
            scale = values.flatten(2 if self.is_map else 1).abs().amax(-1) / STEPS
            scale = scale if self.is_map else scale[:, None]
            # A channel of zeros has scale 0.
            divisor = _beside(scale, values).clamp(min=torch.finfo(torch.float32).tiny)
            parts = {'values': (values / divisor).round(), 'scale': scale}
        else:
            parts['values'] = values.to(getattr(torch, self.dtype))
        if not all(bool(part.isfinite().all()) for part in parts.values()):
            raise ValueError(
                f'{self.name} has values that are not finite as {self.dtype}, the '
                f'largest is {values.abs().max():g}. Store it as float32.'
            )
        kinds = {name: kind for name, kind, _ in self.fields}
        return {
            name: part.cpu().numpy().astype(kinds[name]) for name, part in parts.items()
        }

    def decode(self, stored: Mapping[str, Any]) -> Tensor:
        """Decode stored parts into values, float32 ``(N, *shape)``.

        Args:
            stored: For each of :attr:`fields` a tensor with N entries.
        """
        values = stored['values'].float()
        if self.dtype == 'int8':
            values = values * _beside(stored['scale'], values)
        if self.reduce > 1:
            # By the factor and not to the size, for which pixels would be shifted.
            values = interpolate(values, scale_factor=self.reduce, mode='bilinear')
            height, width = self.shape[1:]
            values = values[..., :height, :width].contiguous()
        if self.channels_last:
            values = values.contiguous(memory_format=torch.channels_last)
        return values


def _beside(scale: Tensor, values: Tensor) -> Tensor:
    return scale.view(*scale.shape, *[1] * (values.dim() - scale.dim()))
