import pytest
import torch
from torch import Tensor

from mmkd.engine.optim import gradients
from mmkd.engine.optim.gradients import compare

SHAPES = (8, 4, 3, 3), (8,), (1, 5), (), (3, 1, 2, 2)


def lists(dtype: torch.dtype = torch.float32) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    first, second = (
        [torch.randn(shape, generator=generator, dtype=dtype) for shape in SHAPES]
        for _ in range(2)
    )
    return first, second


def vector(parts: list[Tensor]) -> Tensor:
    return torch.cat([part.double().flatten() for part in parts])


def laid_out(part: Tensor, layout: str) -> Tensor:
    if layout == 'channels last' and part.dim() == 4:
        return part.contiguous(memory_format=torch.channels_last)
    return part.mT.contiguous().mT if layout == 'mixed' and part.dim() > 1 else part


@pytest.mark.parametrize('piece', [1, 7, 2**17])
@pytest.mark.parametrize('layout', ['contiguous', 'channels last', 'mixed'])
@pytest.mark.parametrize('dtype', [torch.float16, torch.float32, torch.float64])
def test_inner_products_are_those_of_the_whole_vectors(
    monkeypatch: pytest.MonkeyPatch, piece: int, layout: str, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(gradients, 'PIECE', piece)
    first, second = lists(dtype)
    g1, g2 = vector(first), vector(second)
    second = [laid_out(part, layout) for part in second]
    if layout != 'mixed':
        first = [laid_out(part, layout) for part in first]

    relation = compare(first, second)

    expected = (g1 @ g2, g1 @ g1, g2 @ g2)
    torch.testing.assert_close(tuple(relation), expected, rtol=1e-12, atol=1e-12)


def test_a_part_that_one_loss_reaches_counts_for_its_norm() -> None:
    first, second = lists()
    partly = compare([None, *first[1:]], [*second[:-1], None])

    torch.testing.assert_close(
        partly.product, vector(first[1:-1]) @ vector(second[1:-1])
    )
    torch.testing.assert_close(partly.first_squared, vector(first[1:]).square().sum())
    torch.testing.assert_close(
        partly.second_squared, vector(second[:-1]).square().sum()
    )
    assert compare([None], [None]).cosine == 0


def test_squares_that_overflow_float32_do_not() -> None:
    large = [torch.full((3,), 1e30), torch.full((2, 2), -1e30)]
    assert compare(large, large).first_squared.item() == pytest.approx(7e60)
    assert compare(large, large).cosine.item() == pytest.approx(1)
