import pytest
import torch
from torch import Tensor

from mmkd.models.losses import (
    BinaryKLLoss,
    ChannelWiseDivergenceLoss,
    DISTLoss,
    DKDLoss,
    KLDivergenceLoss,
)
from mmkd.models.losses.base import LogitLoss


class SquaredError(LogitLoss):
    def divergence(self, student: Tensor, teacher: Tensor) -> Tensor:
        return (student - teacher).square().sum(1)


def test_a_formula_is_softened_averaged_and_scaled_back() -> None:
    teacher = torch.zeros(2, 3, 4)
    student = torch.ones(2, 3, 4, dtype=torch.float16)
    student[1] = 2
    mask = torch.tensor([[True] * 3 + [False], [True, False, False, False]])

    assert SquaredError(5.0)(student, teacher).item() == pytest.approx(7.5)
    assert SquaredError(5.0)(student, teacher, mask=mask).item() == pytest.approx(5.25)


@pytest.mark.parametrize('loss', [BinaryKLLoss, ChannelWiseDivergenceLoss, DISTLoss])
def test_labels_without_a_meaning_are_refused(loss: type[LogitLoss]) -> None:
    maps = torch.zeros(2, 3, 4, 4)
    with pytest.raises(TypeError, match=f'{loss.__name__} takes no labels'):
        loss()(maps, maps, torch.zeros(2, 4, 4).long())


def test_missing_labels_are_asked_for() -> None:
    logits = torch.zeros(2, 3)
    with pytest.raises(TypeError, match='DKDLoss needs labels'):
        DKDLoss()(logits, logits)


COMPETING = dict(
    KLDivergenceLoss=KLDivergenceLoss(2.0), DKDLoss=DKDLoss(), DISTLoss=DISTLoss()
)


@pytest.mark.parametrize('name', COMPETING)
@pytest.mark.parametrize('size', [(), (3, 5)])
def test_one_channel_is_the_second_of_two_classes(
    name: str, size: tuple[int, ...]
) -> None:
    loss = COMPETING[name]
    student, teacher = torch.randn(2, 6, 1, *size, dtype=torch.float64)
    student.requires_grad_()
    labels = [torch.randint(2, (6, *size))] if loss.needs_labels else []
    pairs = [torch.cat([0 * logit, logit], 1) for logit in (student, teacher)]

    value = loss(student, teacher, *labels)

    torch.testing.assert_close(value, loss(*pairs, *labels))
    torch.testing.assert_close(value, loss(student, pairs[1], *labels))
    value.backward()
    assert student.grad is not None
    assert (student.grad != 0).all()


def test_softmax_kl_of_one_channel_is_that_of_its_sigmoid() -> None:
    student, teacher = torch.randn(2, 7, 1, dtype=torch.float64)
    p, q = (teacher / 3).sigmoid(), (student / 3).sigmoid()
    expected = 9 * (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).mean()

    torch.testing.assert_close(KLDivergenceLoss(3.0)(student, teacher), expected)
