"""Channel-wise distillation."""

import torch
from torch import Tensor

from mmkd.models.losses.base import LogitLoss
from mmkd.models.losses.inputs import masked_mean
from mmkd.models.losses.kl_divergence import softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class ChannelWiseDivergenceLoss(LogitLoss):
    r"""KL divergence between where student and teacher see each channel.

    .. math::
        \frac{\tau^2}{N C} \sum_{n,c} \mathrm{KL}\big(
            \mathrm{softmax}_{hw}(z^T_{nc} / \tau) \,\big\|\,
            \mathrm{softmax}_{hw}(z^S_{nc} / \tau)\big)

    Student and teacher may be logits or features ``(N, C, H, W)``; a mask
    ``(N, H, W)`` says which pixels the distributions are over, all if None, as
    in the published code.

    From `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_. The values agree with
    ``CriterionCWD(norm_type='channel', divergence='kl')`` in
    ``SemSeg-distill/utils/criterion.py`` of
    https://github.com/irfanICMLL/TorchDistiller.

    Args:
        tau: Temperature.

    Examples:
        >>> import torch
        >>> loss = ChannelWiseDivergenceLoss(tau=4.0)
        >>> student, teacher = torch.randn(2, 4, 19, 64, 128)
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    ndim = 4

    def __init__(self, tau: float = 4.0) -> None:
        super().__init__(tau)

    def compare(self, *args: Tensor, mask: Tensor | None) -> Tensor:
        """Mean over the channels of images with a pixel that counts."""
        student, teacher = (maps.flatten(2) for maps in args)
        counted = None
        if mask is not None:
            pixels = mask.flatten(1).unsqueeze(1)
            # Finite, as the difference of two infinities is nan.
            floor = torch.finfo(student.dtype).min / 4
            student = student.masked_fill(~pixels, floor)
            teacher = teacher.masked_fill(~pixels, floor)
            counted = pixels.any(2).expand(student.shape[:2])
        return masked_mean(softmax_kl(student, teacher, dim=2), counted)
