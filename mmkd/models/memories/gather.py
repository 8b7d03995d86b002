"""Rows gathered from all processes."""

from functools import cache

import torch
from mmengine.dist import all_gather, get_backend, get_world_size
from torch import Tensor
from torch.distributed import ProcessGroup, new_group


def rows_of_processes(rows: Tensor) -> list[Tensor]:
    """Gather rows, of which each process may have a different number.

    Args:
        rows: This process's rows ``(N, *)``; without gradient.

    Returns:
        The rows of each process, in the order of their ranks.
    """
    if get_world_size() == 1:
        return [rows]
    counts = [int(n) for n in all_gather(torch.tensor(len(rows)), _hosts())]
    padded = rows.new_zeros(max(counts), *rows.shape[1:])
    padded[: len(rows)] = rows
    everyone = all_gather(padded)
    return [part[:count] for part, count in zip(everyone, counts, strict=True)]


@cache
def _hosts() -> ProcessGroup | None:
    """The group to exchange sizes in: between hosts, so that no GPU is waited for."""
    return None if get_backend() == 'gloo' else new_group(backend='gloo')
