import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.heads import ConvClassifier


def features(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def expected(head: ConvClassifier, x: Tensor, spatial_dims: int) -> Tensor:
    """The head written out: two convolutions, then two linear layers."""
    state = head.state_dict()
    convs = [value for value in state.values() if value.shape[2:] == (3, 3)]
    linears = [m for m in head.modules() if isinstance(m, nn.Linear)] or [
        m for m in head.modules() if getattr(m, 'kernel_size', None) == (1, 1)
    ]
    for weight in convs:
        x = F.conv2d(x, weight, padding=1)
        x = F.relu(F.batch_norm(x, None, None, training=True))
    if spatial_dims == 0:
        x = x.mean((2, 3))
    first, last = ((m.weight.flatten(1), m.bias) for m in linears)
    x = F.relu(F.linear(x.movedim(1, -1), *first))
    return F.linear(x, *last).movedim(-1, 1)


@pytest.mark.parametrize(('spatial_dims', 'shape'), [(0, (4, 7)), (2, (4, 7, 6, 5))])
def test_against_the_head_written_out(
    spatial_dims: int, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    head = ConvClassifier(3, 7, spatial_dims, channels=8).double()
    x = features(4, 3, 6, 5).double()
    logits = head(x)
    assert logits.shape == shape
    torch.testing.assert_close(logits, expected(head, x, spatial_dims))


@pytest.mark.parametrize('spatial_dims', [0, 2])
def test_has_the_widths_of_the_paper(spatial_dims: int) -> None:
    head = ConvClassifier(16, 100, spatial_dims)
    shapes = [tuple(p.shape[:2]) for p in head.parameters() if p.dim() > 1]
    assert shapes == [(256, 16), (256, 256), (256, 256), (100, 256)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in head.modules()) == 2


@pytest.mark.parametrize('size', [(1, 1), (2, 3), (9, 9)])
def test_takes_maps_of_any_size(size: tuple[int, int]) -> None:
    assert ConvClassifier(3, 5, 0, channels=4)(features(2, 3, *size)).shape == (2, 5)
    dense = ConvClassifier(3, 5, 2, channels=4)(features(2, 3, *size))
    assert dense.shape == (2, 5, *size)


def test_leaves_the_features_as_they_are() -> None:
    x = features(2, 3, 4, 4)
    before = x.clone()
    ConvClassifier(3, 5, channels=4)(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


def test_other_spatial_dims_do_not_exist() -> None:
    with pytest.raises(ValueError, match='spatial_dims must be 0 or 2, got 1'):
        ConvClassifier(3, 5, spatial_dims=1)
