"""CIRKD's queues of embeddings, one a class."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd.models.memories.gather import rows_of_processes


class ClassQueue(nn.Module):
    """The latest embeddings of each class, of all processes.

    It starts out full of random directions, and is part of the checkpoint.

    Source: the pixel and the region queue of ``losses/cirkd_memory.py`` in
    https://github.com/winycg/CIRKD.

    Args:
        num_classes: Number of classes.
        size: Embeddings of each class.
        channels: Width of the embeddings.

    Attributes:
        rows: The embeddings ``(num_classes, size, channels)``, of unit length.
        ends: Where the next one of each class goes, ``(num_classes,)``.
    """

    rows: Tensor
    ends: Tensor

    def __init__(self, num_classes: int, size: int, channels: int) -> None:
        super().__init__()
        rows = normalize(torch.randn(num_classes, size, channels), dim=2)
        self.register_buffer('rows', rows)
        self.register_buffer('ends', torch.zeros(num_classes, dtype=torch.int64))

    @torch.no_grad()
    def push(self, rows: Tensor, classes: Tensor) -> None:
        """Replace the oldest embeddings by new ones.

        Args:
            rows: Embeddings ``(M, channels)``, of any length.
            classes: The class of each, int64 ``(M,)``.
        """
        rows = torch.cat(rows_of_processes(normalize(rows).to(self.rows)))
        classes = torch.cat(rows_of_processes(classes))
        size = self.rows.shape[1]
        for label in classes.unique():
            fresh = rows[classes == label][-size:]
            places = torch.arange(len(fresh), device=rows.device) + self.ends[label]
            self.rows[label, places % size] = fresh
            self.ends[label] = (self.ends[label] + len(fresh)) % size

    def draw(self, count: int) -> Tensor:
        """Draw some embeddings of every class.

        Args:
            count: How many of each; all where there are not more.

        Returns:
            ``(num_classes, count, channels)``, constants.
        """
        chosen = torch.randperm(self.rows.shape[1], device=self.rows.device)[:count]
        return self.rows[:, chosen]
