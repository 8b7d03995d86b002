import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.heads import ConvClassifier


def features(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def expected(
    head: ConvClassifier, x: Tensor, spatial_dims: int, stride: int
) -> Tensor:
    """The head spelled out: two convolutions, then two linear layers."""
    state = head.state_dict()
    convs = [value for value in state.values() if value.shape[2:] == (3, 3)]
    linears = [m for m in head.modules() if isinstance(m, nn.Linear)] or [
        m for m in head.modules() if getattr(m, 'kernel_size', None) == (1, 1)
    ]
    for weight in convs:
        last = [(math.ceil(side / stride) - 1) * stride + 3 for side in x.shape[2:]]
        extra = [max(a - b, 0) for a, b in zip(last, x.shape[2:], strict=True)]
        around = [1, 1, 1, 1]
        if stride == 3:
            around = [n for e in reversed(extra) for n in (e // 2, e - e // 2)]
        x = F.conv2d(F.pad(x, around), weight, stride=stride)
        x = F.relu(F.batch_norm(x, None, None, training=True))
    if spatial_dims == 0:
        x = x.mean((2, 3))
    first, last = ((m.weight.flatten(1), m.bias) for m in linears)
    x = F.relu(F.linear(x.movedim(1, -1), *first))
    return F.linear(x, *last).movedim(-1, 1)


@pytest.mark.parametrize(
    ('spatial_dims', 'stride', 'shape'),
    [
        (0, 1, (4, 7)),
        (0, 2, (4, 7)),
        (0, 3, (4, 7)),
        (2, 1, (4, 7, 12, 17)),
        (2, 2, (4, 7, 3, 5)),
        (2, 3, (4, 7, 2, 2)),
    ],
)
def test_against_the_head_written_out(
    spatial_dims: int, stride: int, shape: tuple[int, ...]
) -> None:
    torch.manual_seed(0)
    head = ConvClassifier(3, 7, spatial_dims, channels=8, stride=stride).double()
    x = features(4, 3, 12, 17).double()
    logits = head(x)
    assert logits.shape == shape
    torch.testing.assert_close(logits, expected(head, x, spatial_dims, stride))


@pytest.mark.parametrize(
    ('spatial_dims', 'size', 'sides'),
    [
        (0, 32, [11, 4]),
        (0, 28, [10, 4]),
        (0, 16, [6, 6]),
        (0, 8, [4, 4]),
        (0, 7, [4, 4]),
        (0, 4, [4, 4]),
        (0, 2, [2, 2]),
        (2, 32, [16, 8]),
        (2, 8, [4, 2]),
    ],
)
def test_the_strides_where_none_is_given(
    spatial_dims: int, size: int, sides: list[int]
) -> None:
    head = ConvClassifier(3, 7, spatial_dims)
    convs = [m for m in head.layers if getattr(m, 'kernel_size', 0) == (3, 3)]
    x, found = features(2, 3, size, size), []
    for conv in convs:
        x = conv(x)
        found.append(x.shape[2])
    assert found == sides
    assert x.shape[2] == x.shape[3]


@pytest.mark.parametrize('stride', [None, 1, 2, 3])
@pytest.mark.parametrize('size', [3, 4, 6, 7, 8, 16, 32])
def test_strides_leave_nothing_of_a_map_out(stride: int | None, size: int) -> None:
    """Both convolutions together, whose weights are made to let everything through."""
    head = ConvClassifier(1, 2, channels=4, stride=stride).double()
    convs = [layer for layer in head.layers if isinstance(layer, nn.Conv2d)]
    x = features(1, 1, size, size).double().requires_grad_()
    y = x
    for conv in convs:
        nn.init.uniform_(conv.weight, 0.5, 1.5)
        y = conv(y)
    y.sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all()


@pytest.mark.parametrize('spatial_dims', [0, 2])
def test_has_the_widths_of_the_paper(spatial_dims: int) -> None:
    head = ConvClassifier(16, 100, spatial_dims)
    shapes = [tuple(p.shape[:2]) for p in head.parameters() if p.dim() > 1]
    assert shapes == [(256, 16), (256, 256), (256, 256), (100, 256)]
    assert sum(isinstance(m, nn.BatchNorm2d) for m in head.modules()) == 2


@pytest.mark.parametrize('stride', [1, 2, 3])
@pytest.mark.parametrize('size', [(1, 1), (2, 2), (2, 3), (9, 9)])
@pytest.mark.parametrize('images', [1, 2])
def test_takes_maps_of_any_size(
    images: int, size: tuple[int, int], stride: int
) -> None:
    x = features(images, 3, *size)
    logits = ConvClassifier(3, 5, channels=4, stride=stride)(x)
    assert logits.shape == (images, 5)
    dense = ConvClassifier(3, 5, 2, channels=4, stride=stride)(x)
    coarse = [math.ceil(math.ceil(side / stride) / stride) for side in size]
    assert dense.shape == (images, 5, *coarse)
    (logits.sum() + dense.sum()).backward()


def test_leaves_the_features_as_they_are() -> None:
    x = features(2, 3, 4, 4)
    before = x.clone()
    ConvClassifier(3, 5, channels=4)(x)
    torch.testing.assert_close(x, before, rtol=0, atol=0)


@pytest.mark.parametrize('stride', [0, 4])
def test_strides_that_would_leave_positions_out(stride: int) -> None:
    with pytest.raises(ValueError, match=f'stride must be 1, 2 or 3, .*got {stride}'):
        ConvClassifier(3, 5, stride=stride)


def test_other_spatial_dims_do_not_exist() -> None:
    with pytest.raises(ValueError, match='spatial_dims must be 0 or 2, got 1'):
        ConvClassifier(3, 5, spatial_dims=1)
