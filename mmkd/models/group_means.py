"""Means over groups of pixels, such as the features of a class."""

from torch import Tensor


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
