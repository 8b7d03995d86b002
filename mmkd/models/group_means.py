"""Means over groups of pixels, such as the features of a class."""

import torch
from torch import Tensor


def class_groups(
    labels: Tensor, mask: Tensor | None, num_classes: int
) -> tuple[Tensor, int]:
    """Number pixels by image and class; those that do not count form an extra class.

    Args:
        labels: Class indices ``(N, *)``, int64, from 0 to ``num_classes - 1`` at
            pixels that count.
        mask: Bool of the same shape, True at pixels that count; all if None.
        num_classes: Number of classes.

    Returns:
        The group of each pixel ``(N, *)``, in the order of images and then of classes,
        and the number of groups, ``N * (num_classes + 1)``.
    """
    if mask is not None:
        labels = labels.where(mask, num_classes)
    image = torch.arange(len(labels), device=labels.device)
    image = image.view(-1, *[1] * (labels.dim() - 1))
    return labels + (num_classes + 1) * image, len(labels) * (num_classes + 1)


def group_means(rows: Tensor, groups: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Average the rows of each group.

    Args:
        rows: Features ``(M, C)``, of at least float32.
        groups: The group of each row, int64 ``(M,)``, from 0 to ``count - 1``.
        count: Number of groups, some of which may be empty. It is an argument
            because computing it from ``groups`` would block on the GPU.

    Returns:
        The means ``(count, C)``, zero for an empty group, and how many rows each
        group has, ``(count,)`` in the dtype of the rows.
    """
    sums = rows.new_zeros(count, rows.shape[1]).index_add(0, groups, rows)
    sizes = rows.new_zeros(count).index_add(0, groups, rows.new_ones(len(rows)))
    return sums / sizes.clamp(min=1).unsqueeze(1), sizes
