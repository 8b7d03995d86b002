"""The softened KL divergence of Hinton's knowledge distillation."""

from torch import Tensor
from torch.nn.functional import log_softmax

from mmkd.models.losses.base import LogitLoss
from mmkd.registry import MODELS


@MODELS.register_module()
class KLDivergenceLoss(LogitLoss):
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
        in_pieces: See :class:`LogitLoss`.

    Examples:
        >>> import torch
        >>> loss = KLDivergenceLoss(tau=4.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
        torch.Size([])
    """

    competing = True

    def __init__(self, tau: float = 4.0, in_pieces: bool = True) -> None:
        super().__init__(tau, in_pieces)

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """The divergence of each position, ``(N, *)``."""
        return softmax_kl(student, teacher)


def softmax_kl(student: Tensor, teacher: Tensor, dim: int = 1) -> Tensor:
    """``KL(softmax(teacher) || softmax(student))`` over one dimension.

    Args:
        student: Logits of any shape.
        teacher: Logits of the same shape.
        dim: The dimension of the outcomes, which the result has not.
    """
    p, q = log_softmax(teacher, dim), log_softmax(student, dim)
    # Not p.exp(), which takes ten times as long where probabilities underflow.
    return (teacher.softmax(dim) * (p - q)).sum(dim)
