"""Evenly spaced selection."""

import numpy as np


def evenly(total: int, count: int) -> list[int]:
    """Evenly spaced numbers from 0 to ``total - 1``, including both ends.

    Args:
        total: How many there are to choose from.
        count: How many to choose, at most.
    """
    return np.linspace(0, total - 1, min(count, total)).round().astype(int).tolist()
