"""Binary KL divergence between the logits taken class by class."""

from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    masked_mean,
    not_negative,
    positive,
    prepare_pair,
)
from mmkd.models.losses.numerics import bernoulli_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class BinaryKLLoss(nn.Module):
    r"""KL divergence between the Bernoulli distributions of every class.

    .. math::
        \frac{\tau^2}{N} \sum_{n,k} \mathrm{KL}\Big(
            \mathrm{Ber}(\sigma(z^T_{nk} / \tau)) \,\Big\|\,
            \mathrm{Ber}(\sigma(z^S_{nk} / \tau))\Big)

    It is the BinaryKL loss that `Dual-Head Knowledge Distillation: Enhancing
    Logits Utilization with an Auxiliary Head
    <https://arxiv.org/abs/2411.08937>`_ sets out from. The values agree with
    ``distiller_zoo/BinaryKL.py`` of https://github.com/penghui-yang/DHKD where
    its clamp of the probabilities to ``[1e-8, 1 - 1e-8]`` changes nothing.

    Args:
        tau: Temperature.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: If ``tau`` is not above 0 or ``loss_weight`` is below 0.

    Examples:
        >>> import torch
        >>> loss = BinaryKLLoss(tau=2.0)
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
        divergence = bernoulli_kl(student, teacher, self.tau).sum(1)
        return self.loss_weight * self.tau**2 * masked_mean(divergence, mask)
