import pytest
import torch
from torch import Tensor

from mmkd.models.losses import HierarchicalContextLoss


def pooled(x: Tensor, cells: int) -> Tensor:
    side = x.shape[-1] // cells
    blocks = x.unflatten(3, (cells, side)).unflatten(2, (cells, side))
    return blocks.mean((3, 5))


@pytest.mark.parametrize(
    ('side', 'pools'), [(8, (4, 2, 1)), (4, (2, 1)), (2, (1,)), (1, ())]
)
def test_agrees_with_the_definition(side: int, pools: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 2, 3, side, side, dtype=torch.float64)
    difference = student - teacher
    errors = [difference, *(pooled(difference, cells) for cells in pools)]
    weights = [1, 1 / 2, 1 / 4, 1 / 8][: len(errors)]
    total = sum(w * e.square().mean() for w, e in zip(weights, errors, strict=True))
    loss = HierarchicalContextLoss()(student, teacher)
    torch.testing.assert_close(loss, total / sum(weights))


def test_by_hand() -> None:
    # A constant difference of 3 is 3 at every pool.
    teacher = torch.randn(2, 3, 8, 16, dtype=torch.float64)
    loss = HierarchicalContextLoss()(teacher + 3, teacher)
    assert loss.item() == pytest.approx(9)


def test_rejects_bad_pools() -> None:
    with pytest.raises(ValueError, match='pools'):
        HierarchicalContextLoss(pools=(4, 0))
