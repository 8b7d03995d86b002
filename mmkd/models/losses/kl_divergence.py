"""The softened KL divergence of Hinton's knowledge distillation."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

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
        """The divergence at each position, ``(N, *)``."""
        return softmax_kl(student, teacher)


def softmax_kl(student: Tensor, teacher: Tensor, dim: int = 1) -> Tensor:
    """``KL(softmax(teacher) || softmax(student))`` over one dimension.

    Args:
        student: Logits of any shape, of at least float32.
        teacher: Logits of the same shape, constants.
        dim: The dimension of the outcomes, which the result does not have.
    """
    return _SoftmaxKL.apply(student, teacher, dim)


class _SoftmaxKL(Function):
    """Computes one exponential per logit, for both value and gradient.

    The gradient is the difference of the probabilities. Automatic differentiation of
    a log-softmax computes two.
    """

    @staticmethod
    def forward(ctx: Any, student: Tensor, teacher: Tensor, dim: int) -> Tensor:
        p, q = teacher.softmax(dim), student.softmax(dim)
        ctx.dim = dim
        shift = _log_total(teacher, p, dim) - _log_total(student, q, dim)
        log_ratio = (teacher - student).sub_(shift)
        ctx.save_for_backward(student, q.sub_(p))
        return log_ratio.mul_(p).sum(dim)

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        student, gradient = ctx.saved_tensors
        if torch.is_grad_enabled():
            # With create_graph: the same value, but differentiable.
            q = student.softmax(ctx.dim)
            gradient = gradient + (q - q.detach())
        return outer.unsqueeze(ctx.dim) * gradient, None, None


def _log_total(logits: Tensor, probabilities: Tensor, dim: int) -> Tensor:
    """The log-sum-exp, computed from the largest probability."""
    largest = probabilities.amax(dim, keepdim=True)
    return logits.amax(dim, keepdim=True) - largest.log()
