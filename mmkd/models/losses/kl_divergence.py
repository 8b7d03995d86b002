"""The softened KL divergence of Hinton's knowledge distillation."""

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
class KLDivergenceLoss(nn.Module):
    r"""KL divergence between softened class distributions.

    .. math::
        \frac{\tau^2}{N} \sum_n \mathrm{KL}\big(
            \mathrm{softmax}(z^T_n / \tau) \,\big\|\,
            \mathrm{softmax}(z^S_n / \tau)\big)

    From `Distilling the Knowledge in a Neural Network
    <https://arxiv.org/abs/1503.02531>`_, section 2. The values agree with
    ``distiller_zoo/KD.py`` of https://github.com/HobbitLong/RepDistiller.

    Args:
        tau: Temperature.
        loss_weight: Factor on the loss.

    Raises:
        ValueError: If ``tau`` is not above 0 or ``loss_weight`` is below 0.

    Examples:
        >>> import torch
        >>> loss = KLDivergenceLoss(tau=4.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
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
        divergence = softmax_kl(student, teacher, self.tau)
        return self.loss_weight * self.tau**2 * masked_mean(divergence, mask)
