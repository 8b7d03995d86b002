from typing import Any

import pytest
import torch
from torch import Tensor

from mmkd.models.losses import PairwiseAffinityLoss


def affinity(features: Tensor, side: int) -> Tensor:
    """Cosines of all pairs of regions of one image ``(C, H, W)``, by hand."""
    _, height, width = features.shape
    regions = [
        features[:, y : y + side, x : x + side].amax((1, 2))
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    units = [region / region.norm() for region in regions]
    return torch.stack([torch.stack([a @ b for b in units]) for a in units])


@pytest.mark.parametrize('region', [1, 2, 3, 4, 9])
@pytest.mark.parametrize('size', [(8, 8), (5, 7)])
def test_agrees_with_the_definition(region: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    student = torch.randn(2, 3, *size, dtype=torch.float64)
    teacher = torch.randn(2, 5, *size, dtype=torch.float64)
    pairs = zip(student, teacher, strict=True)
    errors = [(affinity(s, region) - affinity(t, region)).square() for s, t in pairs]
    loss = PairwiseAffinityLoss(region)(student, teacher)
    torch.testing.assert_close(loss, torch.stack(errors).mean())


def test_by_hand() -> None:
    # Two regions: orthogonal for the student, equal for the teacher.
    student = torch.tensor([[[[2.0, 0.0]], [[0.0, 3.0]]]])
    teacher = torch.tensor([[[[1.0, 5.0]]]])
    loss = PairwiseAffinityLoss(region=1)(student, teacher)
    assert loss.item() == pytest.approx(2 / 4)


def test_the_published_regions_see_what_halves_of_the_map_do_not() -> None:
    """Two channels, each highest in every second column of 2 x 2 regions."""
    stripes = torch.tensor([0.0, 1.0]).repeat_interleave(2).repeat(4, 2)
    student = torch.stack([stripes, 1 - stripes])[None]
    teacher = torch.ones(1, 3, 4, 8)
    # Half the pairs of the student's regions are orthogonal.
    assert PairwiseAffinityLoss()(student, teacher).item() == pytest.approx(0.5)
    assert PairwiseAffinityLoss(region=4)(student, teacher).item() == 0.0


def test_rotation_and_scale_of_unpooled_features_change_nothing() -> None:
    torch.manual_seed(0)
    student, teacher = torch.randn(2, 2, 4, 3, 3, dtype=torch.float64)
    rotation = torch.linalg.qr(torch.randn(4, 4, dtype=torch.float64))[0]
    turned = 2 * torch.einsum('ij,njhw->nihw', rotation, student)
    loss = PairwiseAffinityLoss(region=1)
    torch.testing.assert_close(loss(turned, teacher), loss(student, teacher))


@pytest.mark.parametrize('region', [0, -1, 0.5, '2'])
def test_rejects_bad_regions(region: Any) -> None:
    with pytest.raises(ValueError, match=f'region must be .* got {region!r}'):
        PairwiseAffinityLoss(region)
