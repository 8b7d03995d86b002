import math

import pytest
import torch
from torch.nn.functional import kl_div, logsigmoid

from mmkd.models.losses import BinaryKLLoss


def test_by_hand() -> None:
    # At temperature 2 the odds are 3, so p = 3/4, against 1, so 1/2.
    teacher = torch.tensor([[2 * math.log(3), 0.0]], dtype=torch.float64)
    student = torch.zeros(1, 2, dtype=torch.float64)
    by_hand = 4 * (0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5))
    loss = BinaryKLLoss(tau=2.0)(student, teacher)
    assert loss.item() == pytest.approx(by_hand, rel=1e-14)


@pytest.mark.parametrize('tau', [1.0, 2.0, 3.7])
def test_agrees_with_the_published_formula(tau: float) -> None:
    torch.manual_seed(0)
    student, teacher = 3 * torch.randn(2, 16, 10, dtype=torch.float64)
    p, q = (
        (logits / tau).sigmoid().clamp(1e-8, 1 - 1e-8) for logits in (teacher, student)
    )
    parts = kl_div(q.log(), p, reduction='sum')
    parts = parts + kl_div((1 - q).log(), 1 - p, reduction='sum')
    torch.testing.assert_close(
        BinaryKLLoss(tau=tau)(student, teacher), tau**2 / 16 * parts
    )


def test_gradient_is_the_difference_of_probabilities() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 4, 5, 3, 3, dtype=torch.float64)
    student.requires_grad_()
    BinaryKLLoss(tau=2.0)(student, teacher).backward()
    difference = (student / 2).sigmoid() - (teacher / 2).sigmoid()
    torch.testing.assert_close(student.grad, 2 / (4 * 9) * difference.detach())


def test_flipping_the_outcomes_changes_nothing() -> None:
    student, teacher = torch.randn(2, 8, 5)
    loss = BinaryKLLoss()
    assert loss(-student, -teacher).item() == loss(student, teacher).item()


def test_logits_of_zero_learn() -> None:
    teacher = torch.tensor([[-1.0, 0.0, 1.0]])
    student = torch.zeros(1, 3, requires_grad=True)
    BinaryKLLoss(tau=1.0)(student, teacher).backward()
    torch.testing.assert_close(student.grad, 0.5 - teacher.sigmoid())


@pytest.mark.parametrize('size', [1.0, 10.0, 30.0, 1e3])
def test_confident_logits_are_compared_in_float32_as_in_float64(size: float) -> None:
    pair = torch.tensor([[1.0, 0.9, -1.0, -1.1, 0.0], [0.8, 1.0, -1.2, -1.0, 1.0]])
    for student, teacher in (size * pair, size * pair.flip(0)):
        s, t = student.double(), teacher.double()
        expected = sum(
            kl_div(logsigmoid(q), logsigmoid(p), reduction='none', log_target=True)
            for q, p in ((s, t), (-s, -t))
        )
        each = [
            BinaryKLLoss(tau=1.0)(one.view(1, 1), other.view(1, 1))
            for one, other in zip(student, teacher, strict=True)
        ]
        torch.testing.assert_close(
            torch.stack(each).double(), expected, rtol=1e-4, atol=1e-30
        )
