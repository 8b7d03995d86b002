"""BinaryKL-Norm of Dual-Head Knowledge Distillation."""

from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    masked_mean,
    not_negative,
    positive,
    prepare_pair,
)
from mmkd.models.losses.numerics import log_cosh
from mmkd.registry import MODELS


@MODELS.register_module()
class BinaryKLNormLoss(nn.Module):
    r"""BinaryKL-Norm: how far student and teacher logits lie apart, per class.

    .. math::
        \frac{\tau^2}{N} \sum_{n,k} \mathrm{KL}\Big(\tfrac12 \,\Big\|\,
            \sigma\Big(\frac{z^S_{nk} - z^T_{nk}}{\tau}\Big)\Big)
        = \frac{\tau^2}{N} \sum_{n,k}
            \log\cosh\frac{z^S_{nk} - z^T_{nk}}{2\tau}

    It is the auxiliary head's loss in `Dual-Head Knowledge Distillation:
    Enhancing Logits Utilization with an Auxiliary Head
    <https://arxiv.org/abs/2411.08937>`_. Each entry's gradient is
    ``tau / (2 N) * tanh((student - teacher) / (2 tau))``, never above
    ``tau / (2 N)``.

    The values agree with ``distiller_zoo/BinaryKLNorm.py`` of
    https://github.com/penghui-yang/DHKD where that is finite. It clamps the
    sigmoid at ``1 - 1e-8``, which float32 rounds to 1, and so returns infinity
    once a difference passes about ``17 tau``; the closed form is finite and
    accurate for every difference.

    Args:
        tau: Temperature.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: If ``tau`` is not above 0 or ``loss_weight`` is below 0.

    Examples:
        >>> import torch
        >>> loss = BinaryKLNormLoss(tau=2.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
        torch.Size([])
    """

    def __init__(self, tau: float = 2.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.tau = positive('tau', tau)
        self.loss_weight = not_negative('loss_weight', loss_weight)

    def forward(
        self, student: Tensor, teacher: Tensor, *, mask: Tensor | None = None
    ) -> Tensor:
        """Compute the loss.

        Args:
            student: Student logits ``(N, K, *)``.
            teacher: Teacher logits ``(N, K, *)``, a constant.
            mask: Bool ``(N, *)``, which positions count; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool.
            ValueError: If the shapes do not fit.
        """
        student, teacher = prepare_pair(student, teacher)
        check_mask(mask, student)
        divergence = log_cosh((student - teacher) / (2 * self.tau)).sum(1)
        return self.loss_weight * self.tau**2 * masked_mean(divergence, mask)
