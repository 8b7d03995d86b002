"""Binary KL divergence, class by class."""

from torch import Tensor
from torch.nn.functional import logsigmoid

from mmkd.models.losses.base import LogitLoss
from mmkd.registry import MODELS


@MODELS.register_module()
class BinaryKLLoss(LogitLoss):
    r"""KL divergence between the Bernoulli distributions of every class.

    .. math::
        \frac{\tau^2}{N} \sum_{n,k} \mathrm{KL}\Big(
            \mathrm{Ber}(\sigma(z^T_{nk} / \tau)) \,\Big\|\,
            \mathrm{Ber}(\sigma(z^S_{nk} / \tau))\Big)

    This is the BinaryKL loss that `Dual-Head Knowledge Distillation: Enhancing
    Logits Utilization with an Auxiliary Head
    <https://arxiv.org/abs/2411.08937>`_ starts from. The values agree with
    ``distiller_zoo/BinaryKL.py`` of https://github.com/penghui-yang/DHKD where
    its clamp of the probabilities to ``[1e-8, 1 - 1e-8]`` has no effect.

    Args:
        tau: Temperature.
        in_pieces: See :class:`LogitLoss`.

    Examples:
        >>> import torch
        >>> loss = BinaryKLLoss(tau=2.0)
        >>> loss(torch.randn(8, 100), torch.randn(8, 100)).shape
        torch.Size([])
    """

    def __init__(self, tau: float = 2.0, in_pieces: bool = True) -> None:
        super().__init__(tau, in_pieces)

    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Sum of the binary divergences of all classes, ``(N, *)``."""
        return bernoulli_kl(student, teacher).sum(1)


def bernoulli_kl(student: Tensor, teacher: Tensor) -> Tensor:
    """``KL(Ber(sigmoid(teacher)) || Ber(sigmoid(student)))``, elementwise.

    Args:
        student: Logits of any shape.
        teacher: Logits of the same shape.
    """
    # Use the outcome that the teacher considers less likely: all terms are then as
    # small as the divergence, however large the logits.
    s, t = student * teacher.new_ones(()).copysign(teacher), teacher.abs()
    return logsigmoid(t) - logsigmoid(s) + (-t).sigmoid() * (s - t)
