"""Properties of every loss."""

import doctest
import importlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmkd.models import losses
from mmkd.registry import MODELS

Arguments = tuple[list[Tensor], dict[str, Any]]

ROWS, MAPS = (6, 5), (2, 2, 5, 4)
LOGIT_LOSSES = ('BinaryKLLoss', 'BinaryKLNormLoss', 'KLDivergenceLoss', 'DISTLoss')
MAP_LOSSES = (
    'ChannelWiseDivergenceLoss',
    'HierarchicalContextLoss',
    'PairwiseAffinityLoss',
    'CIRKDLoss',
)


def pair(shape: tuple[int, ...]) -> list[Tensor]:
    return list(torch.randn(2, *shape, dtype=torch.float64).unbind())


def arguments(name: str) -> Arguments:
    torch.manual_seed(0)
    if name in MAP_LOSSES:
        return pair(MAPS), {}
    if name == 'DKDLoss':
        return [*pair(ROWS), torch.randint(5, (6,))], {}
    if name == 'IFVDLoss':
        return [*pair(MAPS), torch.randint(3, (2, 5, 4))], {'num_classes': 3}
    if name == 'ContrastiveRepresentationLoss':
        rows = [normalize(row) for row in pair((6, 4)) + pair((20, 4))]
        normalizers = torch.tensor([5.0, 4.0], dtype=torch.float64)
        indices = torch.randint(20, (6, 9))
        return [*rows, indices], {'normalizers': lambda _: normalizers}
    return pair(ROWS), {}


def cast(tensors: list[Tensor], dtype: torch.dtype) -> list[Tensor]:
    return [t.to(dtype) if t.is_floating_point() else t for t in tensors]


def tau_of(name: str) -> float | None:
    return getattr(getattr(losses, name)(), 'tau', None)


every_loss = pytest.mark.parametrize('name', losses.__all__)


@every_loss
def test_is_registered_and_has_no_weight(name: str) -> None:
    args, kwargs = arguments(name)
    value = MODELS.build({'type': f'mmkd.{name}'})(*args, **kwargs)
    assert value.shape == ()
    assert value > 0
    with pytest.raises(TypeError, match='loss_weight'):
        MODELS.build({'type': name, 'loss_weight': 1.0})


@pytest.mark.parametrize('name', [name for name in losses.__all__ if tau_of(name)])
@pytest.mark.parametrize('tau', [0, -1.0, float('inf'), float('nan')])
def test_rejects_a_bad_temperature(name: str, tau: float) -> None:
    with pytest.raises(ValueError, match=f'tau .* got {tau}'):
        getattr(losses, name)(tau=tau)


@every_loss
def test_shape_mismatch_names_both_shapes(name: str) -> None:
    (student, teacher, *rest), kwargs = arguments(name)
    teacher = teacher[:-1]
    with pytest.raises(ValueError, match='student') as error:
        getattr(losses, name)()(student, teacher, *rest, **kwargs)
    assert str(tuple(student.shape)) in str(error.value)
    assert str(tuple(teacher.shape)) in str(error.value)


@every_loss
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
def test_computes_in_float32_at_least(name: str, dtype: torch.dtype) -> None:
    args, kwargs = arguments(name)
    loss = getattr(losses, name)()
    assert loss(*args, **kwargs).dtype == torch.float64
    rounded = cast(args, dtype)
    exact = loss(*cast(rounded, torch.float64), **kwargs)
    with torch.autocast('cpu', torch.bfloat16):
        results = [loss(*rounded, **kwargs)]
    results.append(loss(*rounded, **kwargs))
    for result in results:
        assert result.dtype == torch.float32
        torch.testing.assert_close(result.double(), exact, rtol=1e-5, atol=0)


@every_loss
def test_gradient_is_the_derivative_in_the_dtype_of_the_student(name: str) -> None:
    (student, *rest), kwargs = arguments(name)
    loss = getattr(losses, name)()
    student.requires_grad_()

    def of_student(value: Tensor) -> Tensor:
        return loss(value, *rest, **kwargs)

    assert torch.autograd.gradcheck(of_student, student)
    half = student.detach().half().requires_grad_()
    of_student(half).backward()
    assert half.grad.dtype == torch.float16
    assert half.grad.isfinite().all()


@pytest.mark.parametrize(
    'name', [name for name in losses.__all__ if not name.startswith('Contrastive')]
)
def test_teacher_is_a_constant(name: str) -> None:
    (student, teacher, *rest), kwargs = arguments(name)
    teacher.requires_grad_()
    loss = getattr(losses, name)()(student, teacher, *rest, **kwargs)
    assert not loss.requires_grad


@pytest.mark.parametrize(
    'name', [name for name in losses.__all__ if not name.startswith('Contrastive')]
)
@pytest.mark.parametrize('scale', [1.0, 30.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_a_student_that_is_its_teacher_loses_nothing(
    name: str, scale: float, dtype: torch.dtype
) -> None:
    (student, other, *rest), kwargs = arguments(name)
    student, other = (scale * student).to(dtype), (scale * other).to(dtype)
    loss = getattr(losses, name)()

    def value_and_gradient(teacher: Tensor) -> tuple[Tensor, Tensor]:
        pupil = student.clone().requires_grad_()
        value = loss(pupil, teacher, *rest, **kwargs)
        return value.detach(), torch.autograd.grad(value, pupil)[0]

    value, gradient = value_and_gradient(student.clone())
    usual_value, usual_gradient = value_and_gradient(other)
    rounding = 50 * torch.finfo(dtype).eps
    if name == 'DISTLoss':
        # The published guard counts classes that hardly vary as uncorrelated.
        rounding += 1e-6 if scale == 1 else 0.2
    assert value.abs() <= rounding * usual_value
    assert gradient.norm() <= rounding * usual_gradient.norm()


@pytest.mark.parametrize(
    'name', [*LOGIT_LOSSES, 'DKDLoss', 'ChannelWiseDivergenceLoss']
)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize('difference', [0.0, 1e-3, 35.0, 1e3, 1e4])
def test_every_difference_is_finite(
    name: str, dtype: torch.dtype, difference: float
) -> None:
    (_, _, *rest), _ = arguments(name)
    shape = MAPS if name in MAP_LOSSES else ROWS
    student, teacher = torch.randn(2, *shape)
    student[..., 0] = difference
    teacher[..., 1], teacher[..., 2] = 10.0, difference
    student = student.to(dtype).requires_grad_()
    loss = getattr(losses, name)()
    for sign in (1, -1):
        for other in (torch.zeros(shape), teacher):
            student.grad = None
            value = loss(sign * student, other.to(dtype), *rest)
            value.backward()
            assert value.isfinite()
            assert value > -1e-5
            assert student.grad.isfinite().all()


def masked_call(name: str) -> Callable[..., Tensor]:
    torch.manual_seed(1)
    labels = torch.randint(5, (2, 4, 6))
    loss = getattr(losses, name)()

    def call(student: Tensor, teacher: Tensor, mask: Tensor | None) -> Tensor:
        if name != 'DKDLoss':
            return loss(student, teacher, mask=mask)
        if mask is None:
            return loss(student, teacher, labels[keep()])
        return loss(student, teacher, labels.where(mask, 255), mask=mask)

    return call


def keep() -> Tensor:
    return torch.arange(48).view(2, 4, 6) % 3 != 0


@pytest.mark.parametrize('name', [*LOGIT_LOSSES, 'DKDLoss'])
def test_masked_map_equals_the_selected_pixels(name: str) -> None:
    loss = masked_call(name)
    student, teacher = pair((2, 5, 4, 6))
    student.requires_grad_()
    rows = student.detach().movedim(1, -1)[keep()].requires_grad_()
    on_map = loss(student, teacher, keep())
    on_rows = loss(rows, teacher.movedim(1, -1)[keep()], None)
    torch.testing.assert_close(on_map, on_rows, rtol=1e-12, atol=0)
    on_map.backward()
    on_rows.backward()
    torch.testing.assert_close(student.grad.movedim(1, -1)[keep()], rows.grad)
    assert not student.grad.movedim(1, -1)[~keep()].any()


@pytest.mark.parametrize('name', [*LOGIT_LOSSES, 'DKDLoss'])
def test_no_valid_position_is_zero_with_gradient(name: str) -> None:
    student, teacher = pair((2, 5, 4, 6))
    student.requires_grad_()
    loss = masked_call(name)(student, teacher, torch.zeros(2, 4, 6).bool())
    loss.backward()
    assert loss.item() == 0
    assert not student.grad.any()


@pytest.mark.parametrize('name', LOGIT_LOSSES)
def test_order_of_the_batch_does_not_matter(name: str) -> None:
    student, teacher = pair((7, 5))
    loss = getattr(losses, name)()
    order = torch.randperm(7)
    torch.testing.assert_close(
        loss(student[order], teacher[order]), loss(student, teacher)
    )


@pytest.mark.parametrize('name', [*LOGIT_LOSSES, 'ChannelWiseDivergenceLoss'])
def test_rejects_a_mask_that_does_not_fit(name: str) -> None:
    loss = getattr(losses, name)()
    student, teacher = pair((2, 5, 4, 6))
    with pytest.raises(ValueError, match=r'mask .*\(2, 4, 6\), got \(2, 4\)'):
        loss(student, teacher, mask=torch.ones(2, 4).bool())
    with pytest.raises(TypeError, match='mask must be of dtype'):
        loss(student, teacher, mask=torch.ones(2, 4, 6))


@every_loss
def test_example_in_the_docstring_runs(name: str) -> None:
    module = importlib.import_module(getattr(losses, name).__module__)
    assert doctest.testmod(module) == (0, len(_examples(module)))


def _examples(module: object) -> list[doctest.Example]:
    return [
        example
        for found in doctest.DocTestFinder().find(module)
        for example in found.examples
    ]
