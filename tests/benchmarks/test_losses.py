import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from benchmarks import losses


def test_each_loss_has_a_ratio() -> None:
    rows = list(losses.rows(rounds=2, shape=(2, 3, 8, 16)))
    assert [row.pair for row in rows] == ['2x3x8x16'] * len(losses.LOSSES)
    for row in rows:
        assert all(value > 0 and math.isfinite(value) for value in row.rounds)


def test_losses_get_a_mask_as_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = []

    def loss(student: Tensor, teacher: Tensor, mask: Any = None) -> Tensor:
        masks.append(mask)
        return mse_loss(student, teacher)

    monkeypatch.setattr(losses, 'LOSSES', dict(one=loss))
    list(losses.rows(rounds=1, shape=(2, 3, 8, 16)))
    expected = torch.ones(2, 8, 16, dtype=torch.bool)
    expected[:, 7] = False
    assert all(mask.equal(expected) for mask in masks)
