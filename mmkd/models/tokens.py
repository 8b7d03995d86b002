"""Converting feature maps of transformers from other layouts to ``(N, C, H, W)``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from torch import Tensor

MOST_EXTRA = 5
"""Maximum number of tokens before the grid: class, distillation, registers."""


@dataclass(frozen=True)
class Layout:
    """How a tensor stores a feature map.

    Attributes:
        kind: ``'as it is'`` leaves the tensor alone; ``'tokens'`` is
            ``(N, L, C)``, the grid row by row; ``'channels last'`` is
            ``(N, H, W, C)``.
        extra: Number of tokens before the grid, such as the class token.
    """

    kind: Literal['as it is', 'tokens', 'channels last'] = 'as it is'
    extra: int = 0

    def to_map(self, value: Tensor, image_size: Sequence[int]) -> Tensor:
        """Convert a tensor of this layout to ``(N, C, H, W)``.

        Args:
            value: The tensor.
            image_size: Height and width of the images, whose aspect ratio the grid
                of tokens has.
        """
        if self.kind == 'channels last':
            return value.movedim(-1, 1)
        if self.kind == 'tokens':
            tokens = value[:, self.extra :].transpose(1, 2)
            return tokens.unflatten(2, _grid(tokens.shape[2], *image_size))
        return value


AS_IT_IS = Layout()


def layout_of(shape: Sequence[int], image_size: Sequence[int]) -> Layout | None:
    """Recognise a feature map of one image by its shape.

    Args:
        shape: Shape of a tensor, with its batch dimension.
        image_size: Height and width of the image.

    Returns:
        How the tensor stores a map, with as few extra tokens as possible; None
        if it is not a map.
    """
    if len(shape) == 4:
        if _alike(shape[2:], image_size):
            return AS_IT_IS
        return Layout('channels last') if _alike(shape[1:3], image_size) else None
    if len(shape) == 3:
        for extra in range(min(MOST_EXTRA + 1, shape[1])):
            if _alike(_grid(shape[1] - extra, *image_size), image_size):
                return Layout('tokens', extra)
    return None


def _alike(grid: Sequence[int], image_size: Sequence[int]) -> bool:
    """Whether a grid has the image's aspect ratio, up to rounding."""
    (rows, columns), (height, width) = grid, image_size
    if height == width:
        return rows == columns
    return abs(rows * width - columns * height) <= max(height, width)


@lru_cache(maxsize=1024)
def _grid(count: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns for ``count`` cells, closest to the image's aspect ratio."""
    wanted = math.log(height / width)
    rows = [n for n in range(1, count + 1) if count % n == 0]
    best = min(rows, key=lambda n: abs(math.log(n * n / count) - wanted))
    return best, count // best
