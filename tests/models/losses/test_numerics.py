"""Value and gradient of the logit losses against exact arithmetic."""

from collections.abc import Callable
from decimal import Decimal, getcontext

import pytest
import torch
from torch import Tensor, nn

from mmkd.models.losses import BinaryKLLoss, BinaryKLNormLoss, KLDivergenceLoss
from mmkd.models.losses.numerics import exp_remainder

Row = list[Decimal]
# Double precision is no reference: where one class has nearly all the
# probability, the textbook form of the divergence loses every digit in it.
getcontext().prec = 60


def coin(x: Decimal) -> Row:
    return [1 / (1 + (-x).exp()), 1 / (1 + x.exp())]


def softmax(row: Row) -> Row:
    powers = [x.exp() for x in row]
    return [power / sum(powers) for power in powers]


def divergence(p: Row, q: Row) -> Decimal:
    return sum(a * (a.ln() - b.ln()) for a, b in zip(p, q, strict=True))


def binary_kl(student: Row, teacher: Row) -> tuple[Decimal, Row]:
    logits = list(zip(student, teacher, strict=True))
    value = sum(divergence(coin(t), coin(s)) for s, t in logits)
    return value, [coin(s)[0] - coin(t)[0] for s, t in logits]


def binary_kl_norm(student: Row, teacher: Row) -> tuple[Decimal, Row]:
    fair = coin(Decimal(0))
    coins = [coin(s - t) for s, t in zip(student, teacher, strict=True)]
    return sum(divergence(fair, q) for q in coins), [q[0] - fair[0] for q in coins]


def kl_divergence(student: Row, teacher: Row) -> tuple[Decimal, Row]:
    p, q = softmax(teacher), softmax(student)
    return divergence(p, q), [b - a for a, b in zip(p, q, strict=True)]


LOSSES: dict[type[nn.Module], Callable[[Row, Row], tuple[Decimal, Row]]] = {
    BinaryKLLoss: binary_kl,
    BinaryKLNormLoss: binary_kl_norm,
    KLDivergenceLoss: kl_divergence,
}


def check(loss: nn.Module, student: Tensor, teacher: Tensor) -> None:
    tau, count = Decimal(loss.tau), len(student)
    rows = [
        LOSSES[type(loss)](*([Decimal(x) / tau for x in row] for row in pair))
        for pair in zip(student.tolist(), teacher.tolist(), strict=True)
    ]
    value = sum(row[0] for row in rows) * tau**2 / count
    slopes = [[float(x * tau / count) for x in row[1]] for row in rows]
    gradient = torch.tensor(slopes, dtype=torch.float64)

    student.requires_grad_()
    result = loss(student, teacher)
    result.backward()
    # What float32 cannot hold is zero.
    assert result.item() == pytest.approx(float(value), rel=1e-6, abs=1e-37)
    error = (student.grad - gradient).norm()
    assert error <= 1e-6 * gradient.norm() + 1e-37


@pytest.mark.parametrize('loss_type', LOSSES)
@pytest.mark.parametrize('tau', [1.0, 2.0, 4.0])
@pytest.mark.parametrize('scale', [1e-2, 1.0, 10.0, 100.0])
@pytest.mark.parametrize('difference', [1e-2, 1.0, 10.0, 100.0])
def test_float32_is_exact_to_a_millionth(
    loss_type: type[nn.Module], tau: float, scale: float, difference: float
) -> None:
    torch.manual_seed(0)
    teacher = scale * torch.randn(6, 5)
    student = teacher + difference * torch.randn(6, 5)
    check(loss_type(tau=tau), student, teacher)


@pytest.mark.parametrize('loss_type', LOSSES)
@pytest.mark.parametrize('scale', [1.0, 1e3, 1e4])
@pytest.mark.parametrize('difference', [1e-2, 1.0, 1e3, 1e4])
def test_saturated_logits_are_exact_to_a_millionth(
    loss_type: type[nn.Module], scale: float, difference: float
) -> None:
    torch.manual_seed(0)
    # One pair of near rivals a row, so that not every probability is 0 or 1.
    teacher = scale * torch.randn(6, 5)
    teacher[:, 1] = teacher[:, 0] + 3 * torch.randn(6)
    teacher[:, 2] = 3 * torch.randn(6)
    student = teacher + difference * torch.randn(6, 5)
    check(loss_type(), student, teacher)


def test_norm_loss_is_exact_next_to_the_teacher() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(6, 5)
    student = teacher * (1 + 1e-6 * torch.randn(6, 5))
    check(BinaryKLNormLoss(tau=2.0), student, teacher)


def test_kl_gradient_is_exact_if_a_sure_teacher_meets_a_surer_student() -> None:
    teacher = torch.tensor([[0.0, -6.3, -9.0]])
    check(KLDivergenceLoss(tau=1.0), torch.tensor([[0.0, -900.0, -800.0]]), teacher)


@pytest.mark.parametrize('loss_type', LOSSES)
@pytest.mark.parametrize('dtype', [torch.float16, torch.float32])
@pytest.mark.parametrize('difference', [0.0, 1e-3, 35.0, 1e3, 1e4])
def test_every_difference_is_finite(
    loss_type: type[nn.Module], dtype: torch.dtype, difference: float
) -> None:
    student = torch.tensor([[difference, -1.0, 0.0]], dtype=dtype, requires_grad=True)
    for sign in (1, -1):
        for teacher in (torch.zeros(1, 3), torch.tensor([[-3.0, 10.0, difference]])):
            student.grad = None
            loss = loss_type()(sign * student, teacher.to(dtype))
            loss.backward()
            assert loss.isfinite()
            assert loss >= 0
            assert student.grad.isfinite().all()


def test_kl_of_shifted_logits_is_zero() -> None:
    teacher = torch.arange(12.0).view(3, 4)
    assert KLDivergenceLoss()(teacher + 1000, teacher).item() == 0


def test_exp_remainder() -> None:
    sizes = torch.logspace(-20, 1, 200, dtype=torch.float64)
    x = torch.cat([-sizes, sizes])
    expected = [float(Decimal(a).exp() - 1 - Decimal(a)) for a in x.tolist()]
    torch.testing.assert_close(
        exp_remainder(x), torch.tensor(expected, dtype=x.dtype), rtol=2e-15, atol=0
    )
