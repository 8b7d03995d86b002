"""Channel-wise distillation."""

import torch
from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    masked_mean,
    not_negative,
    positive,
    prepare_pair,
)
from mmkd.models.losses.numerics import softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class ChannelWiseDivergenceLoss(nn.Module):
    r"""KL divergence between where student and teacher see each channel.

    .. math::
        \frac{\tau^2}{N C} \sum_{n,c} \mathrm{KL}\big(
            \mathrm{softmax}_{hw}(z^T_{nc} / \tau) \,\big\|\,
            \mathrm{softmax}_{hw}(z^S_{nc} / \tau)\big)

    From `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_. The values agree with
    ``CriterionCWD(norm_type='channel', divergence='kl')`` in
    ``SemSeg-distill/utils/criterion.py`` of
    https://github.com/irfanICMLL/TorchDistiller.

    Args:
        tau: Temperature.
        loss_weight: Factor on the loss; 3 to 5 are usual on logits.

    Raises:
        ValueError: If ``tau`` is not above 0 or ``loss_weight`` is below 0.

    Examples:
        >>> import torch
        >>> loss = ChannelWiseDivergenceLoss(tau=4.0)
        >>> student, teacher = torch.randn(2, 4, 19, 64, 128)
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    def __init__(self, tau: float = 4.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.tau = positive('tau', tau)
        self.loss_weight = not_negative('loss_weight', loss_weight)

    def forward(
        self, student: Tensor, teacher: Tensor, *, mask: Tensor | None = None
    ) -> Tensor:
        """Compute the loss.

        Args:
            student: Student logits or features ``(N, C, H, W)``.
            teacher: The teacher's, ``(N, C, H, W)``, a constant.
            mask: Bool ``(N, H, W)``, the pixels that the distributions are
                over; all if None, as in the published code.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool.
            ValueError: If the shapes do not fit. An image's logits ``(N, K)``
                have no spatial distribution.
        """
        student, teacher = prepare_pair(student, teacher, ndim=4)
        check_mask(mask, student)
        counted = None
        if mask is not None:
            # Finite, as the difference of two infinities is nan.
            floor = torch.finfo(student.dtype).min / 4
            student = student.masked_fill(~mask.unsqueeze(1), floor)
            teacher = teacher.masked_fill(~mask.unsqueeze(1), floor)
            counted = mask.flatten(1).any(1, keepdim=True).expand(student.shape[:2])
        pixels_first = student.flatten(2).mT, teacher.flatten(2).mT
        divergence = softmax_kl(*pixels_first, self.tau)
        return self.loss_weight * self.tau**2 * masked_mean(divergence, counted)
