"""Decoupled knowledge distillation."""

import torch
from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    check_positions,
    masked_mean,
    not_negative,
    positive,
    prepare_pair,
)
from mmkd.models.losses.numerics import bernoulli_kl, softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class DKDLoss(nn.Module):
    r"""The target and the non-target part of the KD loss, weighed apart.

    .. math::
        \frac{\tau^2}{N} \sum_n \big(\alpha \, \mathrm{TCKD}_n
            + \beta \, \mathrm{NCKD}_n\big)

    TCKD is the divergence of "the target class or not", NCKD the one among the
    classes that are not the target; ``TCKD + (1 - p) NCKD``, with ``p`` the
    teacher's probability of the target, is the KD loss.

    From `Decoupled Knowledge Distillation <https://arxiv.org/abs/2203.08679>`_. The
    values agree with ``mdistiller/distillers/DKD.py`` of
    https://github.com/megvii-research/mdistiller.

    Args:
        alpha: Weight of the target part.
        beta: Weight of the non-target part.
        tau: Temperature.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: If ``tau`` is not above 0 or a weight is below 0.

    Examples:
        >>> import torch
        >>> loss = DKDLoss(alpha=1.0, beta=8.0, tau=4.0)
        >>> student, teacher = torch.randn(2, 8, 100)
        >>> loss(student, teacher, torch.randint(100, (8,))).shape
        torch.Size([])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 8.0,
        tau: float = 4.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.alpha = not_negative('alpha', alpha)
        self.beta = not_negative('beta', beta)
        self.tau = positive('tau', tau)
        self.loss_weight = not_negative('loss_weight', loss_weight)

    def forward(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        *,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            student: Student logits ``(N, K, *)``.
            teacher: Teacher logits ``(N, K, *)``, a constant.
            labels: Class indices ``(N, *)``, int64; any value where ``mask``
                is False.
            mask: Bool ``(N, *)``, which positions count; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool.
            ValueError: If the shapes do not fit.
        """
        student, teacher = prepare_pair(student, teacher)
        check_positions('labels', labels, student)
        check_mask(mask, student)
        if mask is not None:
            labels = labels.where(mask, 0)
        target, others = decoupled_kl(student, teacher, labels, self.tau)
        divergence = self.alpha * target + self.beta * others
        return self.loss_weight * self.tau**2 * masked_mean(divergence, mask)


def decoupled_kl(
    student: Tensor, teacher: Tensor, labels: Tensor, tau: float
) -> tuple[Tensor, Tensor]:
    """The two parts of the KL divergence of softened class distributions.

    Args:
        student: Student logits ``(N, K, *)``.
        teacher: Teacher logits ``(N, K, *)``.
        labels: Class indices ``(N, *)``.
        tau: Temperature.

    Returns:
        The target and the non-target part of each position, ``(N, *)``.
    """
    index = labels.unsqueeze(1)
    is_target = torch.zeros_like(student, dtype=torch.bool).scatter(1, index, True)
    # Finite, as the difference of two infinities is nan, and far below any logit.
    floor = torch.finfo(student.dtype).min / 4

    def odds(logits: Tensor) -> Tensor:
        others = (logits / tau).masked_fill(is_target, floor)
        return logits.gather(1, index).squeeze(1) / tau - others.logsumexp(1)

    target = bernoulli_kl(odds(student), odds(teacher))
    others = softmax_kl(
        student.masked_fill(is_target, floor),
        teacher.masked_fill(is_target, floor),
        tau,
    )
    return target, others
