"""Resize label maps by majority vote."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor


def majority(
    labels: Tensor,
    size: Sequence[int],
    ignore_index: int,
    align_corners: bool = False,
    num_classes: int | None = None,
) -> Tensor:
    """The most frequent label in each cell of a resized map.

    A cell is the part of the label map that one position of the result covers:
    its part of a regular grid, or with ``align_corners`` the surroundings of the point
    that coincides with it. A pixel's vote is the share of it that lies in the
    cell, in integers: mirrored labels give exactly the mirrored result.
    A cell has no class if two classes tie for most votes, or if at least half of it
    has none.

    Args:
        labels: Class indices from 0 on, int64 ``(N, H, W)``.
        size: Height and width of the result, smaller or larger.
        ignore_index: The label of pixels and cells without a class.
        align_corners: Whether the centres of the corners coincide, as in
            ``torch.nn.functional.interpolate``.
        num_classes: The number of classes or more; None takes it from the largest
            label, which synchronises with the GPU.

    Returns:
        Class indices, int64 ``(N, *size)``.
    """
    rows, columns = (
        _intervals(pixels, cells, align_corners, labels.device)
        for pixels, cells in zip(labels.shape[1:], size, strict=True)
    )
    unlabelled = labels == ignore_index
    # Unlabelled pixels vote for an extra class.
    classes = num_classes
    if classes is None:
        classes = int(labels.masked_fill(unlabelled, -1).max()) + 1
    choices = labels.masked_fill(unlabelled, classes)
    cells = rows.cell[:, None] * size[1] + columns.cell
    votes = torch.outer(rows.length, columns.length).flatten()
    # Image by image, because the counts may need more memory than the labels.
    results = []
    for image in choices:
        ballots = cells * (classes + 1) + image[rows.pixel][:, columns.pixel]
        counts = votes.new_zeros(size[0] * size[1] * (classes + 1))
        counts.scatter_add_(0, ballots.flatten(), votes)
        results.append(_winners(counts.view(*size, classes + 1), ignore_index))
    return torch.stack(results)


def _winners(counts: Tensor, ignore_index: int) -> Tensor:
    """The classes with most of the votes ``(H, W, K + 1)``; the last is no class."""
    valid, none = counts[..., :-1], counts[..., -1]
    if valid.shape[-1] == 0:
        return torch.full_like(none, ignore_index, dtype=torch.int64)
    most, winner = valid.max(-1)
    tied = (valid == most[..., None]).sum(-1) > 1
    return winner.masked_fill(tied | (none >= valid.sum(-1)), ignore_index)


class _Intervals(NamedTuple):
    """The intervals that the borders of pixels and cells cut a line into.

    Attributes:
        pixel: The pixel that each interval lies in.
        cell: The cell that it lies in.
        length: Its length as an integer, int32.
    """

    pixel: Tensor
    cell: Tensor
    length: Tensor


@lru_cache(maxsize=64)
def _intervals(
    pixels: int, cells: int, align_corners: bool, device: torch.device
) -> _Intervals:
    # A pixel is `cells` units wide and a cell `pixels` units, so that all borders
    # are integers. Aligned corners are half a pixel and half a cell away from the
    # first borders; a single pixel or cell has no corners to align.
    if align_corners and min(pixels, cells) > 1:
        pixel = range(1 - cells, (2 * pixels - 1) * (cells - 1) + 1, 2 * (cells - 1))
        cell = range(1 - pixels, (2 * cells - 1) * (pixels - 1) + 1, 2 * (pixels - 1))
    else:
        pixel = range(0, pixels * cells + 1, cells)
        cell = range(0, pixels * cells + 1, pixels)
    first, last = max(pixel[0], cell[0]), min(pixel[-1], cell[-1])
    borders = torch.tensor(
        sorted(b for b in {*pixel, *cell} if first <= b <= last), device=device
    )
    unit = math.gcd(pixel.step, cell.step, pixel[0] - cell[0])
    return _Intervals(
        (borders[:-1] - pixel[0]) // pixel.step,
        (borders[:-1] - cell[0]) // cell.step,
        (borders.diff() // unit).int(),
    )
