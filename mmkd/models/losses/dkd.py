"""Decoupled knowledge distillation."""

import torch
from torch import Tensor

from mmkd.models.losses.base import LogitLoss
from mmkd.models.losses.binary_kl import bernoulli_kl
from mmkd.models.losses.inputs import not_negative
from mmkd.models.losses.kl_divergence import softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class DKDLoss(LogitLoss):
    r"""The target and non-target parts of the KD loss, weighted separately.

    .. math::
        \frac{\tau^2}{N} \sum_n \big(\alpha \, \mathrm{TCKD}_n
            + \beta \, \mathrm{NCKD}_n\big)

    TCKD is the divergence of "the target class or not", NCKD that among the
    non-target classes. ``TCKD + (1 - p) NCKD``, with ``p`` the teacher's
    probability of the target, is the KD loss.

    From `Decoupled Knowledge Distillation <https://arxiv.org/abs/2203.08679>`_. The
    values agree with ``mdistiller/distillers/DKD.py`` of
    https://github.com/megvii-research/mdistiller.

    Args:
        alpha: Weight of the target part.
        beta: Weight of the non-target part.
        tau: Temperature.
        in_pieces: See :class:`LogitLoss`.

    Raises:
        ValueError: If ``tau`` is not above 0 or a weight is below 0.

    Examples:
        >>> import torch
        >>> loss = DKDLoss(alpha=1.0, beta=8.0, tau=4.0)
        >>> student, teacher = torch.randn(2, 8, 100)
        >>> loss(student, teacher, torch.randint(100, (8,))).shape
        torch.Size([])
    """

    needs_labels = True
    competing = True
    constant_for_two = 'its non-target part (beta)'

    def __init__(
        self,
        alpha: float = 1.0,
        beta: float = 8.0,
        tau: float = 4.0,
        in_pieces: bool = True,
    ) -> None:
        super().__init__(tau, in_pieces)
        self.alpha = not_negative('alpha', alpha)
        self.beta = not_negative('beta', beta)

    def divergence(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """The weighted sum of both parts at each position, ``(N, *)``."""
        target, others = decoupled_kl(student, teacher, labels)
        return self.alpha * target + self.beta * others


def decoupled_kl(
    student: Tensor, teacher: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """The two parts of the KL divergence between class distributions.

    Args:
        student: Student logits ``(N, K, *)``.
        teacher: Teacher logits ``(N, K, *)``.
        labels: Class indices ``(N, *)``.

    Returns:
        The target and the non-target part at each position, ``(N, *)``.
    """
    index = labels.unsqueeze(1)
    is_target = torch.zeros_like(student, dtype=torch.bool).scatter(1, index, True)
    # Far below any logit, but finite: the difference of two infinities is nan.
    floor = torch.finfo(student.dtype).min / 4
    s, t = (logits.masked_fill(is_target, floor) for logits in (student, teacher))
    # The logit of "the target class or not".
    odds = (
        logits.gather(1, index).squeeze(1) - others.logsumexp(1)
        for logits, others in ((student, s), (teacher, t))
    )
    return bernoulli_kl(*odds), softmax_kl(s, t)
