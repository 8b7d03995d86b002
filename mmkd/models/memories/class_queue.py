"""CIRKD's queues of embeddings, one per class."""

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd.models.memories.gather import rows_of_processes


class ClassQueue(nn.Module):
    """The latest embeddings of each class, from all processes.

    It starts filled with random directions, and is part of the checkpoint.

    Source: the pixel and the region queue of ``losses/cirkd_memory.py`` in
    https://github.com/winycg/CIRKD.

    Args:
        num_classes: Number of classes.
        size: Embeddings per class.
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
    def push(self, rows: Tensor, valid: Tensor) -> None:
        """Replace the oldest embeddings with new ones.

        Every class gets the same number of rows, and ``valid`` marks the real ones:
        only the GPU knows their number, and counting them would block on it.

        Args:
            rows: Embeddings ``(M, num_classes, channels)``, of any length.
            valid: Which of them are real, bool ``(M, num_classes)``.
        """
        rows = normalize(rows, dim=2).to(self.rows.dtype)
        rows = torch.cat(rows_of_processes(rows))
        valid = torch.cat(rows_of_processes(valid))
        classes, size = self.rows.shape[:2]
        counts = valid.sum(0)
        left_out = (counts - size).clamp(min=0)
        taken = counts - left_out
        numbers = torch.arange(min(len(rows), size), device=rows.device).unsqueeze(1)
        # Per class, the valid rows come first; skip those that do not fit.
        order = valid.byte().argsort(dim=0, descending=True, stable=True)
        order = order.gather(0, (numbers + left_out).clamp(max=len(rows) - 1))
        label = torch.arange(classes, device=rows.device)
        places = label, (numbers + self.ends) % size
        fresh = (numbers < taken).unsqueeze(2)
        self.rows[places] = rows[order, label].where(fresh, self.rows[places])
        self.ends.add_(taken).remainder_(size)

    def draw(self, count: int) -> Tensor:
        """Draw some embeddings of every class.

        Args:
            count: How many per class; all if there are no more.

        Returns:
            ``(num_classes, count, channels)``, constants.
        """
        chosen = torch.randperm(self.rows.shape[1], device=self.rows.device)[:count]
        return self.rows[:, chosen]
