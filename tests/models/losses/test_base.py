import pytest
import torch
from torch import Tensor

from mmkd.models.losses import (
    BinaryKLLoss,
    ChannelWiseDivergenceLoss,
    DISTLoss,
    DKDLoss,
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
    with pytest.raises(TypeError, match=f'{loss.__name__} is defined without labels'):
        loss()(maps, maps, torch.zeros(2, 4, 4).long())


def test_missing_labels_are_asked_for() -> None:
    logits = torch.zeros(2, 3)
    with pytest.raises(TypeError, match='DKDLoss needs labels'):
        DKDLoss()(logits, logits)
