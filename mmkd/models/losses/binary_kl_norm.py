"""BinaryKL-Norm of Dual-Head Knowledge Distillation."""

import math

from torch import Tensor
from torch.nn.functional import logsigmoid

from mmkd.models.losses.base import LogitLoss
from mmkd.registry import MODELS


@MODELS.register_module()
class BinaryKLNormLoss(LogitLoss):
    r"""BinaryKL-Norm: how far apart student and teacher logits are, per class.

    .. math::
        \frac{\tau^2}{N} \sum_{n,k} \mathrm{KL}\Big(\tfrac12 \,\Big\|\,
            \sigma\Big(\frac{z^S_{nk} - z^T_{nk}}{\tau}\Big)\Big)
        = \frac{\tau^2}{N} \sum_{n,k}
            \log\cosh\frac{z^S_{nk} - z^T_{nk}}{2\tau}

    This is the auxiliary head's loss in `Dual-Head Knowledge Distillation:
    Enhancing Logits Utilization with an Auxiliary Head
    <https://arxiv.org/abs/2411.08937>`_. Each entry's gradient is
    ``tau / (2 N) * tanh((student - teacher) / (2 tau))``, never above
    ``tau / (2 N)``.

    The values agree with ``distiller_zoo/BinaryKLNorm.py`` of
    https://github.com/penghui-yang/DHKD where those are finite. That code clamps the
    sigmoid at ``1 - 1e-8``, which float32 rounds to 1, and so returns infinity
    once a difference passes about ``17 tau``; the closed form is finite for
    every difference.

    Args:
        tau: Temperature.
        in_pieces: See :class:`LogitLoss`.

    Examples:
        >>> import torch
        >>> loss = BinaryKLNormLoss(tau=2.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
        torch.Size([])
    """

    def __init__(self, tau: float = 2.0, in_pieces: bool = True) -> None:
        super().__init__(tau, in_pieces)

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Sum over the classes of ``log cosh`` of half the difference, ``(N, *)``."""
        gap = student - teacher
        # cosh itself would overflow.
        return gap.sum(1) / 2 - (logsigmoid(gap) + math.log(2)).sum(1)
