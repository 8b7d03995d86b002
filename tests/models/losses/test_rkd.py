from itertools import product

import pytest
import torch
from torch import Tensor

from mmkd.models.losses import RKDLoss
from mmkd.models.losses.rkd import relations


def huber(a: Tensor, b: Tensor) -> Tensor:
    error = abs(a - b)
    return error**2 / 2 if error < 1 else error - 0.5


def cosine(f: Tensor, i: int, j: int, k: int) -> Tensor:
    a, b = f[j] - f[i], f[k] - f[i]
    if not a.any() or not b.any():
        return f.new_zeros(())
    return a @ b / (a.norm() * b.norm())


def test_agrees_with_the_definition() -> None:
    torch.manual_seed(0)
    student = torch.randn(5, 3, dtype=torch.float64)
    teacher = 4 * torch.randn(5, 7, dtype=torch.float64)
    pairs = list(product(range(5), repeat=2))
    mean = [
        sum((f[i] - f[j]).norm() for i, j in pairs) / 20 for f in (student, teacher)
    ]
    distance = sum(
        huber(
            (student[i] - student[j]).norm() / mean[0],
            (teacher[i] - teacher[j]).norm() / mean[1],
        )
        for i, j in pairs
    )
    angle = sum(
        huber(cosine(student, *ijk), cosine(teacher, *ijk))
        for ijk in product(range(5), repeat=3)
    )
    loss = RKDLoss(distance_weight=25.0, angle_weight=50.0)(student, teacher)
    torch.testing.assert_close(loss, 25 * distance / 25 + 50 * angle / 125)


def test_relations_by_hand() -> None:
    # A right triangle with sides 3, 4 and 5, whose mean is 4.
    distance, angle = relations(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))
    expected = torch.tensor([[0, 3, 4], [3, 0, 5], [4, 5, 0]]) / 4
    torch.testing.assert_close(distance, expected)
    assert angle[0, 1, 2].item() == 0
    assert angle[1, 0, 2].item() == pytest.approx(3 / 5)
    assert angle[2, 0, 1].item() == pytest.approx(4 / 5)


def test_rotation_shift_and_scale_change_nothing() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 6, 4, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    loss = RKDLoss()
    moved = 3 * student @ rotation + torch.randn(4)
    torch.testing.assert_close(loss(moved, teacher), loss(student, teacher))
    torch.testing.assert_close(
        loss(student, teacher @ rotation), loss(student, teacher)
    )
    assert loss(student * torch.arange(1, 5), teacher) != loss(student, teacher)


@pytest.mark.parametrize('count', [1, 2, 4])
def test_coinciding_samples_give_a_finite_gradient(count: int) -> None:
    torch.manual_seed(0)
    student = torch.ones(count, 3)
    student[-1] = 0
    student.requires_grad_()
    loss = RKDLoss()(student, torch.randn(count, 3))
    loss.backward()
    assert loss.isfinite()
    assert student.grad.abs().max() < 1e3


def test_rejects_negative_weights() -> None:
    with pytest.raises(ValueError, match='distance_weight'):
        RKDLoss(distance_weight=-1)
    with pytest.raises(ValueError, match='angle_weight'):
        RKDLoss(angle_weight=-1)
