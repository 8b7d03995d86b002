import math

import pytest
import torch
from torch import Tensor

from mmkd.models.losses import IFVDLoss


def variation(features: Tensor, labels: Tensor) -> Tensor:
    rows, labels = features.flatten(1).T, labels.flatten()
    cosines = []
    for row, label in zip(rows, labels, strict=True):
        centre = rows[labels == label].mean(0)
        cosines.append(row @ centre / (row.norm() * centre.norm()))
    return torch.stack(cosines).view(features.shape[1:])


def example() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    student = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    teacher = torch.randn(2, 6, 4, 5, dtype=torch.float64)
    return student, teacher, torch.randint(3, (2, 4, 5))


def errors(student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
    triples = zip(student, teacher, labels, strict=True)
    return torch.stack(
        [(variation(s, y) - variation(t, y)).square() for s, t, y in triples]
    )


def test_agrees_with_the_definition() -> None:
    torch.testing.assert_close(IFVDLoss()(*example(), 3), errors(*example()).mean())


def test_only_valid_pixels_count() -> None:
    student, teacher, labels = example()
    labels[0, :2] = 255
    mask = labels != 255
    student.requires_grad_()
    loss = IFVDLoss()(student, teacher, labels, 3, mask=mask)
    expected = errors(student.detach(), teacher, labels)[mask].mean()
    torch.testing.assert_close(loss, expected)
    loss.backward()
    assert not student.grad.movedim(1, -1)[~mask].any()


def test_by_hand() -> None:
    # Two pixels of one class: orthogonal for the student, so at 45 degrees to
    # their mean; equal for the teacher.
    student = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    teacher = torch.tensor([[[[2.0, 3.0]]]])
    loss = IFVDLoss()(student, teacher, torch.zeros(1, 1, 2).long(), 1)
    assert loss.item() == pytest.approx((1 - math.sqrt(0.5)) ** 2)


def test_names_of_classes_do_not_matter() -> None:
    student, teacher, labels = example()
    renamed = torch.tensor([250, 3, 77])[labels]
    loss = IFVDLoss()
    assert loss(student, teacher, renamed, 251) == loss(student, teacher, labels, 3)


def test_no_valid_pixel_is_zero_with_gradient() -> None:
    student, teacher, labels = example()
    student.requires_grad_()
    mask = torch.zeros_like(labels).bool()
    loss = IFVDLoss()(student, teacher, labels, 3, mask=mask)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()
