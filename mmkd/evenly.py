"""Some of many, spread evenly over all."""

import numpy as np


def evenly(total: int, count: int) -> list[int]:
    """Numbers from 0 to ``total - 1``, the first and the last among them.

    Args:
        total: How many there are.
        count: How many are wanted, at most.
    """
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()
