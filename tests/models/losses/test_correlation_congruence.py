import pytest
import torch

from mmkd.models.losses import CorrelationCongruenceLoss


def test_by_hand() -> None:
    # Differences (1, -2), (3, 4), (0, -5): neighbours give 3 + 8 and 0 + 20.
    teacher = torch.randn(3, 2).round()
    delta = torch.tensor([[1.0, -2.0], [3.0, 4.0], [0.0, -5.0]])
    loss = CorrelationCongruenceLoss()
    assert loss(teacher + delta, teacher).item() == (11 + 20) / 2


def test_a_batch_of_one_is_zero_with_gradient() -> None:
    student = torch.randn(1, 4, requires_grad=True)
    loss = CorrelationCongruenceLoss()(student, torch.randn(1, 4))
    loss.backward()
    assert loss.item() == 0


def test_rejects_maps() -> None:
    with pytest.raises(ValueError, match='2 dimensions'):
        CorrelationCongruenceLoss()(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4))
