"""Divergences that keep their digits where the textbook forms lose them.

Close to the teacher a KL divergence is the small remainder of large terms that
cancel. With ``E`` the mean under the teacher's distribution and ``step`` the
change of the logits, it is ``log E exp(step) - E step``. Counting steps from
their mean makes ``E step`` zero, and what is left is
``log1p(E[exp(step) - 1 - step])``, in which no term is negative.
"""

import math

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import logsigmoid


def exp_remainder(x: Tensor) -> Tensor:
    """Compute ``exp(x) - 1 - x`` to full relative accuracy, elementwise."""
    one = series = torch.ones_like(x)
    # For |x| < 1/2 the series is exhausted with these terms.
    last = 15 if x.dtype == torch.float64 else 9
    for k in range(last, 2, -1):
        series = torch.addcmul(one, x, series, value=1 / k)
    return torch.where(x.abs() < 0.5, x * x / 2 * series, torch.expm1(x) - x)


def softmax_kl(student: Tensor, teacher: Tensor, tau: float = 1.0) -> Tensor:
    """``KL(softmax(teacher / tau) || softmax(student / tau))`` over dimension 1.

    Args:
        student: Logits ``(N, K, *)``, which the result is differentiable by,
            once.
        teacher: Logits ``(N, K, *)``, a constant.
        tau: Temperature.

    Returns:
        The divergence of each position, ``(N, *)``.
    """
    with torch.no_grad():
        teacher_top, top_class = teacher.max(1, keepdim=True)
        student_top = student.amax(1, True)
        s, t = (student - student_top) / tau, (teacher - teacher_top) / tau
        p_student, p_teacher = s.softmax(1), t.softmax(1)

        # Changes are counted from the teacher's top class first, which leaves
        # the mean its digits where that class has nearly all the probability.
        change = student - teacher
        step = (change - change.gather(1, top_class)) / tau
        mean = (p_teacher * step).sum(1, True)
        step = step - mean
        offset = t.logsumexp(1, True) + mean
        offset = offset - (student_top - student.gather(1, top_class)) / tau
        terms = torch.where(
            step.abs() < 1,
            p_teacher * exp_remainder(step),
            s.exp() * (-offset).exp() - p_teacher * (1 + step),
        )
        near, far = terms.sum(1, True).log1p(), s.logsumexp(1, True) - offset
        is_near = far < 0.5
        value = torch.where(is_near, near, far)

        ratio = step - value
        slope = torch.where(
            is_near & (ratio.abs() < 1),
            p_teacher * ratio.expm1(),
            p_student - p_teacher,
        )
        # The slopes sum to zero: where the top class has nearly all the
        # probability, those of the others are the more accurate ones.
        slope = slope.scatter_add(1, top_class, -slope.sum(1, True))
    return with_gradient(student, value, slope / tau).squeeze(1)


def bernoulli_kl(student: Tensor, teacher: Tensor, tau: float = 1.0) -> Tensor:
    """``KL(Ber(sigmoid(teacher / tau)) || Ber(sigmoid(student / tau)))``.

    Args:
        student: Logits, which the result is differentiable by, once.
        teacher: Logits of the same shape, a constant.
        tau: Temperature.

    Returns:
        The divergence of each element.
    """
    with torch.no_grad():
        # Of the two outcomes, look at the one the teacher holds less likely: its
        # probability p is small, so no digit is lost against 1.
        scale = (1 - 2 * (teacher > 0).to(teacher.dtype)) / tau
        a, b, step = scale * teacher, scale * student, scale * (student - teacher)
        p, q = a.sigmoid(), (-a).sigmoid()

        remainder = p * exp_remainder(q * step) + q * exp_remainder(-p * step)
        far = logsigmoid(-a) - logsigmoid(-b) - p * step
        far_slope = b.sigmoid() - p
        near_slope = -b.sigmoid() * q * torch.expm1(-step)

        is_near = step.abs() < 1
        value = torch.where(is_near, remainder.log1p(), far)
        slope = scale * torch.where(is_near, near_slope, far_slope)
    return with_gradient(student, value, slope)


def log_cosh(x: Tensor) -> Tensor:
    """Compute ``log(cosh(x))`` to full relative accuracy, elementwise.

    Args:
        x: What the result is differentiable by, once.
    """
    with torch.no_grad():
        size = x.abs()
        # Near 0 the second form cancels; far from 0 the first one overflows.
        value = torch.where(
            size < 1,
            torch.log1p(2 * torch.sinh(size / 2) ** 2),
            size + torch.log1p(torch.exp(-2 * size)) - math.log(2),
        )
    return with_gradient(x, value, x.detach().tanh())


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: torch.autograd.Function, logits: Tensor, value: Tensor, slope: Tensor
    ) -> Tensor:
        ctx.save_for_backward(slope)
        return value.clone()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.Function, grad: Tensor
    ) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return grad * slope, None, None


def with_gradient(logits: Tensor, value: Tensor, slope: Tensor) -> Tensor:
    """Give a value computed without autograd its gradient.

    Autograd turns an overflow in the branch of ``torch.where`` that is not
    taken into nan, and the derivative of an accurate form need not be
    accurate. Stating the derivative avoids both.

    Args:
        logits: What the value is a function of.
        value: Of the shape of ``logits``, or of one that broadcasts to it.
        slope: The derivative by each of the ``logits``, of their shape.

    Returns:
        ``value``; it can be differentiated once.
    """
    return _WithGradient.apply(logits, value, slope)
