import pytest
import torch

from mmkd.models.tokens import AS_IT_IS, Layout, layout_of

TOKENS = [
    ((1, 16, 8), (64, 64), Layout('tokens')),
    ((1, 17, 8), (64, 64), Layout('tokens', 1)),
    ((1, 18, 8), (64, 64), Layout('tokens', 2)),
    ((1, 2, 8), (64, 64), Layout('tokens', 1)),
    ((1, 21, 8), (64, 64), Layout('tokens', 5)),
    ((1, 37, 8), (32, 128), Layout('tokens', 1)),
    ((1, 4, 4, 8), (64, 64), Layout('channels last')),
    ((1, 8, 4, 4), (64, 64), AS_IT_IS),
    ((1, 4, 8, 3), (32, 64), Layout('channels last')),
    ((1, 8, 3, 5), (30, 50), AS_IT_IS),
    ((1, 8, 4, 6), (64, 64), None),
    ((1, 8), (64, 64), None),
    ((1, 11, 8), (64, 64), Layout('tokens', 2)),
    ((1, 15, 8), (64, 64), None),
]


@pytest.mark.parametrize(('shape', 'image', 'layout'), TOKENS)
def test_layout_is_recognised(
    shape: tuple[int, ...], image: tuple[int, int], layout: Layout | None
) -> None:
    assert layout_of(shape, image) == layout


@pytest.mark.parametrize('size', [(64, 64), (48, 80), (30, 100), (512, 1024), (33, 65)])
@pytest.mark.parametrize('stride', [4, 16])
@pytest.mark.parametrize('extra', [0, 1, 2])
def test_tokens_lie_where_their_patches_do(
    size: tuple[int, int], stride: int, extra: int
) -> None:
    # Each token encodes its own row and column.
    rows, columns = -(-size[0] // stride), -(-size[1] // stride)
    grid = torch.cartesian_prod(torch.arange(rows), torch.arange(columns))
    tokens = torch.cat([torch.full((extra, 2), -1), grid])[None].repeat(3, 1, 1)

    found = Layout('tokens', extra).to_map(tokens, size)

    assert found.shape == (3, 2, rows, columns)
    assert found[:, 0].equal(torch.arange(rows)[:, None].expand(3, rows, columns))
    assert found[:, 1].equal(torch.arange(columns).expand(3, rows, columns))


def test_channels_move_to_the_front() -> None:
    value = torch.randn(2, 3, 5, 7)

    assert Layout('channels last').to_map(value, (6, 10)).equal(
        value.permute(0, 3, 1, 2)
    )
    assert AS_IT_IS.to_map(value, (5, 7)) is value
