"""Labels of logit maps, counted cell by cell."""

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

IGNORED = 255


def most(labels: Tensor, size: Sequence[int]) -> Tensor:
    """The label that most pixels of a cell have; ties and half unlabelled: none.

    Args:
        labels: ``(N, H, W)``, of which ``size`` is a whole fraction.
        size: Height and width of the result.
    """
    steps = [whole // part for whole, part in zip(labels.shape[1:], size, strict=True)]
    result = torch.full((len(labels), *size), IGNORED)
    for n, y, x in torch.cartesian_prod(*map(torch.arange, result.shape)).tolist():
        cell = labels[n].split(steps[0])[y].split(steps[1], 1)[x].flatten().tolist()
        counts = Counter(cell)
        invalid = counts.pop(IGNORED, 0)
        winners = [k for k, count in counts.items() if count == max(counts.values())]
        if len(winners) == 1 and 2 * invalid < len(cell):
            result[n, y, x] = winners[0]
    return result
