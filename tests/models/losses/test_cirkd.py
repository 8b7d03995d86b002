import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmkd.models.losses import CIRKDLoss


def rows(features: Tensor) -> Tensor:
    return normalize(features.movedim(1, -1).flatten(0, -2), dim=1)


def divergence(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    p, q = (teacher / tau).softmax(1), (student / tau).softmax(1)
    return (p * (p / q).log()).sum(1).mean()


def example() -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    shapes = (3, 4, 2, 5), (3, 6, 2, 5), (3, 6, 2, 5), (7, 6), (2, 3, 6)
    return tuple(torch.randn(shape, dtype=torch.float64) for shape in shapes)


def test_mini_batch_part_agrees_with_the_definition() -> None:
    student, teacher, *_ = example()
    parts = [
        divergence(
            rows(student[[i]]) @ rows(student[[j]]).T,
            rows(teacher[[i]]) @ rows(teacher[[j]]).T,
            0.3,
        )
        for i in range(3)
        for j in range(3)
    ]
    loss = CIRKDLoss(tau=0.3, batch_weight=2.0)(student, teacher)
    torch.testing.assert_close(loss, 2 * torch.stack(parts).mean())


def test_memory_parts_agree_with_the_definition() -> None:
    student, teacher, embedded, pixels, regions = example()
    mask = torch.arange(30).view(3, 2, 5) % 4 != 0
    anchors = rows(embedded)[mask.flatten()], rows(teacher)[mask.flatten()]
    expected = 0.0
    for weight, bank in ((0.1, pixels), (0.2, regions.view(-1, 6))):
        similarities = [anchor @ normalize(bank, dim=1).T for anchor in anchors]
        expected += weight * divergence(*similarities, 0.3)
    loss = CIRKDLoss(tau=0.3, batch_weight=0.0, region_weight=0.2)(
        student,
        teacher,
        embedded=embedded,
        pixel_bank=pixels,
        region_bank=regions,
        mask=mask,
    )
    torch.testing.assert_close(loss, expected)


def test_the_student_is_compared_with_the_banks_if_nothing_is_embedded() -> None:
    _, teacher, student, pixels, _ = example()
    loss = CIRKDLoss(batch_weight=0.0)
    torch.testing.assert_close(
        loss(student, teacher, pixel_bank=pixels),
        loss(2 * student, teacher, embedded=student, pixel_bank=3 * pixels),
    )


def test_no_anchor_is_zero_with_gradient() -> None:
    _, teacher, student, pixels, _ = example()
    student.requires_grad_()
    mask = torch.zeros(3, 2, 5).bool()
    loss = CIRKDLoss(batch_weight=0.0)(student, teacher, pixel_bank=pixels, mask=mask)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


def test_banks_are_constants_of_the_width_of_the_teacher() -> None:
    student, teacher, embedded, pixels, _ = example()
    pixels.requires_grad_()
    loss = CIRKDLoss()
    value = loss(student, teacher, embedded=embedded, pixel_bank=pixels)
    assert not value.requires_grad
    with pytest.raises(ValueError, match=r'width of the teacher, 6, .*\(7, 5\)'):
        loss(student, teacher, embedded=embedded, pixel_bank=pixels[:, :5])
    with pytest.raises(ValueError, match='same shape'):
        loss(student, teacher, pixel_bank=pixels)
