"""Means over groups of pixels, as features of a class are averaged."""

from torch import Tensor


def group_means(rows: Tensor, groups: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Average the rows of each group.

    Args:
        rows: Features ``(M, C)``, of at least float32.
        groups: The group of each row, int64 ``(M,)``, from 0 to below ``count``.
        count: How many groups there are, some of which may be empty. It is given,
            for to look for the largest one a device would be waited for.

    Returns:
        The means ``(count, C)``, zero for an empty group, and how many rows each
        group has, ``(count,)`` in the dtype of the rows.
    """
    sums = rows.new_zeros(count, rows.shape[1]).index_add(0, groups, rows)
    sizes = rows.new_zeros(count).index_add(0, groups, rows.new_ones(len(rows)))
    return sums / sizes.clamp(min=1).unsqueeze(1), sizes
