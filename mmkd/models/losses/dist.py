"""The relation-matching loss of DIST."""

import torch
from torch import Tensor

from mmkd.models.losses.base import LogitLoss
from mmkd.models.losses.inputs import masked_mean, not_negative, number_of
from mmkd.registry import MODELS


@MODELS.register_module()
class DISTLoss(LogitLoss):
    r"""One minus Pearson's correlation, between classes and within classes.

    .. math::
        \tau^2 \Big( \frac{\beta}{N} \sum_n (1 - \rho(S_{n:}, T_{n:}))
            + \frac{\gamma}{K} \sum_k (1 - \rho(S_{:k}, T_{:k})) \Big)

    with the class probabilities ``S = softmax(student / tau)`` and ``T``
    likewise, one row per sample or valid pixel.

    From `Knowledge Distillation from A Stronger Teacher
    <https://arxiv.org/abs/2205.10536>`_, its inter-class and intra-class losses.
    The values agree with ``segmentation/losses/dist_kd.py`` of
    https://github.com/hunto/DIST_KD, which has no temperature (``tau=1``).

    Args:
        beta: Weight of the relation between classes.
        gamma: Weight of the relation within classes.
        tau: Temperature.

    Raises:
        ValueError: If ``tau`` is not above 0 or a weight is below 0.

    Examples:
        >>> import torch
        >>> loss = DISTLoss(beta=1.0, gamma=1.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
        torch.Size([])
    """

    competing = True
    constant_for_two = 'its relation between classes (beta)'

    def __init__(self, beta: float = 1.0, gamma: float = 1.0, tau: float = 1.0) -> None:
        super().__init__(tau)
        self.beta = not_negative('beta', beta)
        self.gamma = not_negative('gamma', gamma)

    def compare(
        self, student: Tensor, teacher: Tensor, *labels: Tensor, mask: Tensor | None
    ) -> Tensor:
        """The weighted sum of both distances over the positions that count."""
        student, teacher = (
            logits.movedim(1, -1).flatten(0, -2).softmax(1)
            for logits in self.soften(student, teacher)
        )
        mask = None if mask is None else mask.flatten()
        between = masked_mean(pearson_distances(student, teacher), mask)
        within = pearson_distances(student.T, teacher.T, mask).mean()
        return self.beta * between + self.gamma * within


def pearson_distances(a: Tensor, b: Tensor, mask: Tensor | None = None) -> Tensor:
    """One minus the Pearson correlation of each pair of rows.

    Args:
        a: Values ``(M, D)``.
        b: Values of the same shape.
        mask: Bool ``(D,)``, True at columns that count; all if None.

    Returns:
        One number per row, ``(M,)``, invariant to shifting a row or scaling it
        by a positive number. Zero if no column counts.
    """
    if mask is not None:
        # No boolean indexing: its result size would block on the GPU.
        a, b = a.where(mask, 0), b.where(mask, 0)
    # Equal rows are at distance 0, however little they vary.
    rounding = 16 * torch.finfo(a.dtype).eps
    equal = ((a - b).abs() <= rounding * a.abs()).all(1)
    count = number_of(a.shape[1:], mask)
    a, b = (rows - rows.sum(1, keepdim=True) / count for rows in (a, b))
    if mask is not None:
        a, b = a.where(mask, 0), b.where(mask, 0)
    # The published constant: a row that hardly varies counts as uncorrelated.
    norms = a.norm(dim=1) * b.norm(dim=1) + 1e-8
    return (1 - (a * b).sum(1) / norms).masked_fill(equal, 0)
