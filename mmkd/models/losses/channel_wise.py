"""Channel-wise distillation."""

import torch
from torch import Tensor

from mmkd.models.losses.base import LogitLoss
from mmkd.models.losses.inputs import masked_sum, number_of
from mmkd.models.losses.kl_divergence import softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class ChannelWiseDivergenceLoss(LogitLoss):
    r"""KL divergence between the spatial distributions of each channel.

    .. math::
        \frac{\tau^2}{N C} \sum_{n,c} \mathrm{KL}\big(
            \mathrm{softmax}_{hw}(z^T_{nc} / \tau) \,\big\|\,
            \mathrm{softmax}_{hw}(z^S_{nc} / \tau)\big)

    Student and teacher may be logits or features ``(N, C, H, W)``. A mask
    ``(N, H, W)`` selects the pixels of the distributions; all if None, as in the
    published code.

    From `Channel-wise Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/2011.13256>`_. The values agree with
    ``CriterionCWD(norm_type='channel', divergence='kl')`` in
    ``SemSeg-distill/utils/criterion.py`` of
    https://github.com/irfanICMLL/TorchDistiller.

    Args:
        tau: Temperature.
        in_pieces: See :class:`LogitLoss`.

    Examples:
        >>> import torch
        >>> loss = ChannelWiseDivergenceLoss(tau=4.0)
        >>> student, teacher = torch.randn(2, 4, 19, 64, 128)
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    ndim = 4

    def __init__(self, tau: float = 4.0, in_pieces: bool = True) -> None:
        super().__init__(tau, in_pieces)

    def compare(
        self, student: Tensor, teacher: Tensor, *labels: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Average over the channels of images with a pixel that counts."""
        constants, counted = [teacher], None
        if mask is not None:
            # Finite: the difference of two infinities would be nan.
            floor = torch.finfo(torch.float32).min / 4
            barred = torch.zeros(mask.shape, device=mask.device)
            barred = barred.masked_fill_(~mask, floor).unsqueeze(1)
            counted = mask.flatten(1).any(1).unsqueeze(1).expand(student.shape[:2])
            constants += [barred.expand_as(student), counted]

        def part(student: Tensor, teacher: Tensor, *pixels: Tensor) -> Tensor:
            maps, counted = self.soften(student, teacher), None
            if pixels:
                barred, counted = pixels
                # Far below any logit; masked_fill would take ten times as long.
                maps = maps[0].add_(barred), maps[1].add_(barred)
            student, teacher = (values.flatten(2) for values in maps)
            return masked_sum(softmax_kl(student, teacher, dim=2), counted)

        total = self.total(part, student, *constants, dims=(0, 1))
        return total / number_of(student.shape[:2], counted)
