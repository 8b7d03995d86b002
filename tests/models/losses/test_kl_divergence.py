import math

import pytest
import torch
from torch.nn.functional import kl_div, log_softmax, softmax

from mmkd.models.losses import KLDivergenceLoss


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
