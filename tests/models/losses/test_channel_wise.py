import math

import pytest
import torch

from mmkd.models.losses import ChannelWiseDivergenceLoss


def test_by_hand() -> None:
    # One image, two channels of two pixels: (3/4, 1/4) against (1/2, 1/2) in
    # the first, the same in the second.
    teacher = torch.tensor([[[[4 * math.log(3), 0]], [[1, 2]]]], dtype=torch.float64)
    student = torch.tensor([[[[5, 5]], [[1, 2]]]], dtype=torch.float64)
    divergence = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    loss = ChannelWiseDivergenceLoss(tau=4.0)(student, teacher)
    assert loss.item() == pytest.approx(16 / 2 * divergence, rel=1e-12)


def test_agrees_with_the_definition() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    p, q = ((x / 4).flatten(2).softmax(2) for x in (teacher, student))
    expected = 16 * (p * (p / q).log()).sum() / (3 * 4)
    torch.testing.assert_close(ChannelWiseDivergenceLoss()(student, teacher), expected)


def test_a_shift_of_a_channel_changes_nothing() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    loss = ChannelWiseDivergenceLoss()
    shift = 10 * torch.randn(2, 3, 4, 1, 1)
    shifted = loss(student + shift[0], teacher + shift[1])
    torch.testing.assert_close(shifted, loss(student, teacher))
    assert abs(loss(2 * student, teacher) - loss(student, teacher)) > 1e-3


def test_masked_pixels_are_in_no_distribution() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 3, 4, 5, 6, dtype=torch.float64)
    student.requires_grad_()
    loss = ChannelWiseDivergenceLoss()
    mask = torch.ones(3, 5, 6).bool()
    mask[:, :, 4:] = False
    mask[2] = False
    masked = loss(student, teacher, mask=mask)
    torch.testing.assert_close(masked, loss(student[:2, ..., :4], teacher[:2, ..., :4]))
    masked.backward()
    assert not student.grad[2].any()
    assert not student.grad[..., 4:].any()
    assert student.grad[:2, ..., :4].all()


def test_no_valid_pixel_is_zero_with_gradient() -> None:
    student = torch.randn(2, 3, 4, 5, requires_grad=True)
    mask = torch.zeros(2, 4, 5).bool()
    loss = ChannelWiseDivergenceLoss()(student, torch.randn(2, 3, 4, 5), mask=mask)
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


def test_rejects_image_logits() -> None:
    with pytest.raises(ValueError, match=r'4 dimensions .*\(8, 10\)'):
        ChannelWiseDivergenceLoss()(torch.zeros(8, 10), torch.zeros(8, 10))
