import math

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax, softmax

from mmkd.models.losses import KLDivergenceLoss
from mmkd.models.losses.kl_divergence import softmax_kl


def test_by_hand() -> None:
    # Probabilities (3/4, 1/4) against (1/2, 1/2), at temperature 4.
    teacher = torch.tensor([[4 * math.log(3), 0.0]], dtype=torch.float64)
    student = torch.zeros(1, 2, dtype=torch.float64)
    by_hand = 16 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    loss = KLDivergenceLoss(tau=4.0)(student, teacher)
    assert loss.item() == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize('tau', [1.0, 4.0, 3.7])
def test_agrees_with_the_published_formula(tau: float) -> None:
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 16, 10, dtype=torch.float64)
    published = kl_div(
        log_softmax(student / tau, 1), softmax(teacher / tau, 1), reduction='sum'
    )
    torch.testing.assert_close(
        KLDivergenceLoss(tau=tau)(student, teacher), tau**2 / 16 * published
    )


def test_gradient_is_the_difference_of_probabilities() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, 5, 3, 3, dtype=torch.float64)
    student.requires_grad_()
    KLDivergenceLoss(tau=4.0)(student, teacher).backward()
    difference = softmax(student.detach() / 4, 1) - softmax(teacher / 4, 1)
    torch.testing.assert_close(student.grad, 4 / (4 * 9) * difference)


def test_a_shift_of_all_logits_changes_nothing() -> None:
    student, teacher = torch.randn(2, 8, 5, dtype=torch.float64)
    loss = KLDivergenceLoss()
    shifted = loss(student + torch.randn(8, 1), teacher - torch.randn(8, 1))
    torch.testing.assert_close(shifted, loss(student, teacher))


def test_derivatives_are_those_of_the_value() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    student.requires_grad_()
    for dim in (1, -1):
        args = student, teacher, dim
        assert torch.autograd.gradcheck(softmax_kl, args)
        assert torch.autograd.gradgradcheck(softmax_kl, args)


@pytest.mark.parametrize('outcomes', [2, 1000, 500_000])
@pytest.mark.parametrize('size', [1.0, 30.0])
def test_the_value_is_as_exact_as_its_logarithms(outcomes: int, size: float) -> None:
    """Underflowing probabilities and a common offset of the logits cost nothing."""
    torch.manual_seed(0)
    student, teacher = size * torch.randn(2, 1, outcomes) + 100
    exact = softmax_kl(student.double(), teacher.double())
    p, q = log_softmax(teacher, 1), log_softmax(student, 1)
    usual = (teacher.softmax(1) * (p - q)).sum(1)
    error = (softmax_kl(student, teacher) - exact).abs()
    assert error <= 2 * (usual - exact).abs() + 1e-5 * (1 + exact)


def test_the_same_distribution_is_at_no_distance() -> None:
    logits = 20 * torch.randn(5, 19, 7)
    assert softmax_kl(logits, logits.clone()).eq(0).all()
