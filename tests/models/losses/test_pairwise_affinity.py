import pytest
import torch
from torch import Tensor

from mmkd.models.losses import PairwiseAffinityLoss


def affinity(features: Tensor, cells: int) -> Tensor:
    side = features.shape[-1] // cells
    blocks = features.unflatten(2, (cells, side)).unflatten(1, (cells, side))
    regions = blocks.amax((2, 4)).flatten(1).T
    units = [region / region.norm() for region in regions]
    return torch.stack([torch.stack([a @ b for b in units]) for a in units])


@pytest.mark.parametrize(('scale', 'cells'), [(0.5, 2), (0.25, 4), (0.01, 8), (1.0, 1)])
def test_agrees_with_the_definition(scale: float, cells: int) -> None:
    torch.manual_seed(0)
    student = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    teacher = torch.randn(2, 5, 8, 8, dtype=torch.float64)
    pairs = zip(student, teacher, strict=True)
    errors = [(affinity(s, cells) - affinity(t, cells)).square() for s, t in pairs]
    loss = PairwiseAffinityLoss(pool_scale=scale)(student, teacher)
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_by_hand() -> None:
    # Two regions: at a right angle for the student, alike for the teacher.
    student = torch.tensor([[[[2.0, 0.0]], [[0.0, 3.0]]]])
    teacher = torch.tensor([[[[1.0, 5.0]]]])
    loss = PairwiseAffinityLoss(pool_scale=0.5)(student, teacher)
    assert loss.item() == pytest.approx(2 / 4)


def test_rotation_and_scale_of_unpooled_features_change_nothing() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 2, 4, 3, 3, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    turned = 2 * torch.einsum('ij,njhw->nihw', rotation, student)
    loss = PairwiseAffinityLoss(pool_scale=0.1)
    torch.testing.assert_close(loss(turned, teacher), loss(student, teacher))


@pytest.mark.parametrize('pool_scale', [0, -0.5, 1.5, float('nan')])
def test_rejects_bad_scales(pool_scale: float) -> None:
    with pytest.raises(ValueError, match=f'pool_scale .* got {pool_scale}'):
        PairwiseAffinityLoss(pool_scale=pool_scale)
