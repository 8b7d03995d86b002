"""The softened KL divergence of Hinton's knowledge distillation."""

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from mmkd.models.losses.base import LogitLoss
from mmkd.registry import MODELS

LOG2_E = 1 / math.log(2)


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
        p, log_total_p = _softmax(teacher, dim)
        q, log_total_q = _softmax(student, dim)
        ctx.dim = dim
        log_ratio = (teacher - student).sub_(log_total_p - log_total_q)
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


def _softmax(logits: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """The probabilities, and the log-sum-exp.

    On CPUs, exp2 takes about a third of the time of exp, which PyTorch's softmax takes.
    """
    largest = logits.amax(dim, keepdim=True)
    powers = (logits - largest).mul_(LOG2_E).exp2_()
    total = powers.sum(dim, keepdim=True)
    return powers.div_(total), total.log_().add_(largest)
