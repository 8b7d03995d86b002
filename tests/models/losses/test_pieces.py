"""Losses on maps cut into pieces, compared with the same losses on whole maps."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmkd.models import losses
from mmkd.models.losses import pieces
from mmkd.models.losses.pieces import sum_of_pieces

NAMES = (
    'BinaryKLLoss',
    'BinaryKLNormLoss',
    'ChannelWiseDivergenceLoss',
    'DKDLoss',
    'KLDivergenceLoss',
)
SHAPE = (3, 5, 6, 7)
LAYOUTS: dict[str, Callable[[Tensor], Tensor]] = {
    'contiguous': lambda maps: maps,
    'channels last': lambda maps: maps.to(memory_format=torch.channels_last),
    'transposed': lambda maps: maps.mT.contiguous().mT,
    'part of a map': lambda maps: nn.functional.pad(maps, (1, 2))[..., 1:-2],
}
every_loss = pytest.mark.parametrize('name', NAMES)


@pytest.fixture(autouse=True, params=[4, 20, 100, 300])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Parts of rows, rows, some rows of an image, whole images."""
    monkeypatch.setattr(pieces, 'PIECE', request.param)
    return request.param


def maps(shape: tuple[int, ...] = SHAPE, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return 3 * torch.randn(2, *shape, generator=generator, dtype=dtype)


def outcome(
    name: str,
    student: Tensor,
    teacher: Tensor,
    mask: Tensor | None = None,
    in_pieces: bool = True,
    scale: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """A loss and its gradient."""
    leaf = student.detach().requires_grad_()
    labels = [teacher.argmax(1)] if name == 'DKDLoss' else []
    loss = getattr(losses, name)(in_pieces=in_pieces)
    value = loss(leaf, teacher, *labels, mask=mask)
    (gradient,) = torch.autograd.grad(scale * value, leaf)
    return value.detach(), gradient


@every_loss
@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('masked', [False, True])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_pieces_give_what_the_whole_gives(
    name: str, layout: str, masked: bool, dtype: torch.dtype
) -> None:
    student, teacher = maps(dtype=dtype)
    mask = None
    if masked:
        mask = torch.arange(3 * 42).view(3, 6, 7) % 3 != 0
        mask[1] = False

    for first, second in ((layout, 'contiguous'), (layout, layout)):
        pair = LAYOUTS[first](student), LAYOUTS[second](teacher)
        value, gradient = outcome(name, *pair, mask)
        expected = outcome(name, *pair, mask, in_pieces=False)
        torch.testing.assert_close((value, gradient), expected)
        if pair[0].numel() == pair[0].untyped_storage().size() // pair[0].itemsize:
            assert gradient.stride() == pair[0].stride()


@every_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('scale', [1.0, 2.0**16])
def test_half_precision_is_widened_piece_by_piece(
    name: str, dtype: torch.dtype, scale: float
) -> None:
    student, teacher = maps().to(dtype)

    value, gradient = outcome(name, student, teacher, scale=scale)
    expected = outcome(name, student.double(), teacher.double(), None, False, scale)

    assert value.dtype == torch.float32
    torch.testing.assert_close(value.double(), expected[0], rtol=1e-6, atol=0)
    assert gradient.dtype == dtype
    rounding = 2 * torch.finfo(dtype).eps
    # float32 rounding of a difference, or the smallest normal number of the dtype.
    least = max(1e-6 * expected[1].abs().max().item(), torch.finfo(dtype).tiny)
    torch.testing.assert_close(
        gradient.double(), expected[1], rtol=rounding, atol=least
    )


@pytest.mark.parametrize('name', ['BinaryKLLoss', 'DKDLoss', 'KLDivergenceLoss'])
def test_vectors_are_cut_too(name: str) -> None:
    pair = maps((50, 4))
    torch.testing.assert_close(
        outcome(name, *pair), outcome(name, *pair, in_pieces=False)
    )


def test_one_channel_is_compared_with_two() -> None:
    student, teacher = maps((3, 1, 6, 7))[0], maps((3, 2, 6, 7))[1]
    torch.testing.assert_close(
        outcome('KLDivergenceLoss', student, teacher),
        outcome('KLDivergenceLoss', student, teacher, in_pieces=False),
    )


@every_loss
def test_a_retained_graph_is_gone_through_again(name: str) -> None:
    student, teacher = maps()
    _, expected = outcome(name, student, teacher)
    leaf = student.clone().requires_grad_()
    labels = [teacher.argmax(1)] if name == 'DKDLoss' else []
    value = getattr(losses, name)()(leaf, teacher, *labels)

    value.backward(retain_graph=True)
    (-3 * value).backward(retain_graph=True)
    torch.testing.assert_close(leaf.grad, -2 * expected)
    value.backward()
    with pytest.raises(RuntimeError, match='a second time'):
        value.backward()


def test_a_second_derivative_is_that_of_the_whole() -> None:
    student, teacher = maps()

    def penalty(in_pieces: bool) -> Tensor:
        leaf = student.clone().requires_grad_()
        loss = losses.KLDivergenceLoss(in_pieces=in_pieces)
        value = loss(leaf * leaf, teacher).square()
        (gradient,) = torch.autograd.grad(value, leaf, create_graph=True)
        return torch.autograd.grad(gradient.square().sum(), leaf)[0]

    torch.testing.assert_close(penalty(True), penalty(False))


@every_loss
def test_nothing_of_a_piece_is_kept(name: str, piece: int) -> None:
    student, teacher = maps()
    sizes = []

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in given:
            sizes.append(tensor.numel())
        return tensor

    labels = [teacher.argmax(1)] if name == 'DKDLoss' else []
    given = {t.untyped_storage().data_ptr() for t in (student, *labels)}
    student.requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        getattr(losses, name)()(student, teacher, *labels)

    smallest = 42 if name.startswith('Channel') else 5
    assert max(sizes) <= max(piece, smallest)


@every_loss
@pytest.mark.parametrize('piece', [100], indirect=True)
def test_on_another_device_than_a_cpu_the_whole_is_the_only_piece(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers, cut = [], pieces._pieces

    def counted(*args: Any) -> list[Sequence[Tensor]]:
        found = list(cut(*args))
        numbers.append(len(found))
        return found

    monkeypatch.setattr(pieces, '_pieces', counted)
    student, teacher = maps().to('meta')
    student.requires_grad_()
    labels = [teacher.argmax(1)] if name == 'DKDLoss' else []
    getattr(losses, name)()(student, teacher, *labels).backward()
    assert student.grad.shape == student.shape
    assert set(numbers) == {1}


@every_loss
def test_without_a_gradient_the_value_is_the_same(name: str) -> None:
    student, teacher = maps()
    expected, _ = outcome(name, student, teacher, in_pieces=False)
    labels = [teacher.argmax(1)] if name == 'DKDLoss' else []
    loss = getattr(losses, name)()

    value = loss(student, teacher, *labels)
    assert not value.requires_grad
    torch.testing.assert_close(value, expected)
    with torch.no_grad():
        value = loss(student.requires_grad_(), teacher, *labels)
    assert not value.requires_grad
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize('piece', [100], indirect=True)
def test_a_compiled_loss_is_whole() -> None:
    student, teacher = maps()
    expected = outcome('KLDivergenceLoss', student, teacher)
    loss = torch.compile(losses.KLDivergenceLoss(), backend='eager', fullgraph=True)
    student.requires_grad_()
    value = loss(student, teacher)
    value.backward()
    torch.testing.assert_close((value.detach(), student.grad), expected)


@pytest.mark.parametrize('piece', [100], indirect=True)
def test_what_is_small_is_left_as_it_is() -> None:
    seen = []

    def part(*inputs: Tensor) -> Tensor:
        seen.append(inputs)
        return inputs[0].sum()

    small, large = torch.ones(10, 10), torch.ones(11, 10)
    sum_of_pieces(part, small, dims=(0, 1))
    assert seen.pop()[0] is small
    assert sum_of_pieces(part, large, dims=(0, 1)) == 110
    assert [inputs[0].shape for inputs in seen] == [(10, 10), (1, 10)]
