import math

import pytest
import torch
from torch.nn.functional import kl_div

from mmkd.models.losses import BinaryKLNormLoss


def test_by_hand() -> None:
    # The differences 0 and 2 tau log 2, whose half over tau is log 2:
    # cosh(log 2) = (2 + 1/2) / 2 = 5/4.
    teacher = torch.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=torch.float64)
    student = teacher.clone()
    student[1, 0] -= 4 * math.log(2)
    loss = BinaryKLNormLoss(tau=2.0)(student, teacher)
    assert loss.item() == pytest.approx(4 / 2 * math.log(1.25), rel=1e-14)


@pytest.mark.parametrize('tau', [1.0, 2.0, 3.7])
def test_agrees_with_the_published_formula(tau: float) -> None:
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 16, 10, dtype=torch.float64)
    q = ((student - teacher) / tau).sigmoid().clamp(1e-8, 1 - 1e-8)
    half = torch.full_like(q, 0.5)
    parts = kl_div(q.log(), half, reduction='sum')
    parts = parts + kl_div((1 - q).log(), half, reduction='sum')
    torch.testing.assert_close(
        BinaryKLNormLoss(tau=tau)(student, teacher), tau**2 / 16 * parts
    )


def test_is_finite_where_the_published_formula_is_not() -> None:
    student, teacher = torch.full((1, 1), 100.0), torch.zeros(1, 1)
    published = ((student - teacher) / 2).sigmoid().clamp(1e-8, 1 - 1e-8)
    assert torch.log(1 - published).isinf()
    loss = BinaryKLNormLoss(tau=2.0)(student, teacher)
    assert loss.item() == pytest.approx(4 * (25 - math.log(2)), rel=1e-6)


@pytest.mark.parametrize('difference', [1e-3, 1.0, 1e4])
def test_gradient_is_bounded(difference: float) -> None:
    tau, teacher = 2.0, torch.randn(8, 5)
    sign = torch.randn(8, 5).sign()
    student = (teacher + difference * sign).requires_grad_()
    BinaryKLNormLoss(tau=tau)(student, teacher).backward()
    assert student.grad.abs().max() <= tau / (2 * 8)
    if difference == 1e4:
        torch.testing.assert_close(student.grad, sign * tau / 16)


def test_is_symmetric() -> None:
    student, teacher = torch.randn(2, 8, 5)
    loss = BinaryKLNormLoss()
    torch.testing.assert_close(loss(student, teacher), loss(teacher, student))
