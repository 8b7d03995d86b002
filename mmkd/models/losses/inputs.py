"""What every loss does with its arguments before it computes."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def positive(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number above zero.

    Raises:
        ValueError: If it is not.
    """
    if not 0 < value < math.inf:
        raise ValueError(f'{name} must be finite and above 0, got {value}')
    return value


def not_negative(name: str, value: float) -> float:
    """Return ``value`` if it is a finite number that is zero or above.

    Raises:
        ValueError: If it is not.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f'{name} must be finite and at least 0, got {value}')
    return value


def check_pair(
    student: Tensor, teacher: Tensor, ndim: int | None, same_width: bool = True
) -> None:
    """Check the shapes of what is compared.

    Args:
        student: The student's tensor, ``(N, C, *)``.
        teacher: The teacher's tensor.
        ndim: The number of dimensions the loss is defined on; None for any
            from 2 on.
        same_width: Whether both must have the same ``C``.

    Raises:
        ValueError: If the shapes do not fit.
    """
    shapes = f'student has {tuple(student.shape)}, teacher {tuple(teacher.shape)}'
    if ndim is not None and {student.dim(), teacher.dim()} != {ndim}:
        raise ValueError(f'tensors of {ndim} dimensions are needed, got: {shapes}')
    if min(student.dim(), teacher.dim()) < 2:
        raise ValueError(f'at least 2 dimensions (N, C) are needed, got: {shapes}')
    if same_width and student.shape != teacher.shape:
        raise ValueError(f'student and teacher must be of one shape, got: {shapes}')
    if student.shape[:1] + student.shape[2:] != teacher.shape[:1] + teacher.shape[2:]:
        raise ValueError(
            f'student and teacher may differ in dimension 1 alone, got: {shapes}'
        )


def widen(tensor: Tensor) -> Tensor:
    """Half precision becomes float32; float32 and float64 stay."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def prepare_pair(
    student: Tensor,
    teacher: Tensor,
    ndim: int | None = None,
    same_width: bool = True,
) -> tuple[Tensor, Tensor]:
    """Check a pair and bring it to one dtype, the teacher as a constant.

    Args:
        student: The student's tensor, ``(N, C, *)``.
        teacher: The teacher's tensor.
        ndim: See :func:`check_pair`.
        same_width: See :func:`check_pair`.

    Returns:
        Both in at least float32.

    Raises:
        ValueError: If the shapes do not fit.
    """
    check_pair(student, teacher, ndim, same_width)
    dtype = torch.promote_types(widen(student).dtype, widen(teacher).dtype)
    return student.to(dtype), teacher.detach().to(dtype)


def two_classes(logits: Tensor) -> Tensor:
    """Put a zero before a single channel, so that softmax is its sigmoid.

    Args:
        logits: ``(N, K, *)``; more than one channel stay as they are.
    """
    if logits.dim() < 2 or logits.shape[1] != 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], 1)


def without_autocast(tensor: Tensor) -> torch.autocast:
    """A context in which matrix products keep the precision of their inputs."""
    return torch.autocast(tensor.device.type, enabled=False)


def check_positions(name: str, tensor: Tensor, logits: Tensor) -> None:
    """Check that a tensor has one entry for each position of ``(N, C, *)``.

    Raises:
        ValueError: If it has not.
    """
    shape = logits.shape[:1] + logits.shape[2:]
    if tensor.shape != shape:
        raise ValueError(
            f'{name} must have one entry a position, shape {tuple(shape)}, '
            f'got {tuple(tensor.shape)}'
        )


def check_mask(mask: Tensor | None, logits: Tensor) -> None:
    """Check a mask of the positions of ``(N, C, *)`` that count.

    Raises:
        TypeError: If it is not bool.
        ValueError: If it has not one entry a position.
    """
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(f'mask must be of dtype torch.bool, got {mask.dtype}')
    check_positions('mask', mask, logits)


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the positions that count; zero, with gradient, if none does.

    Args:
        values: One value a position, ``(N, *)``.
        mask: Bool of the same shape, which positions count; None for all.
    """
    return masked_sum(values, mask) / number_of(values.shape, mask)


def masked_sum(values: Tensor, mask: Tensor | None) -> Tensor:
    """Sum over the positions that count, as :func:`masked_mean` takes them."""
    return values.sum() if mask is None else values.where(mask, 0).sum()


def number_of(shape: Sequence[int], mask: Tensor | None) -> Tensor | int:
    """How many positions of a shape count, but 1 where none does."""
    return max(math.prod(shape), 1) if mask is None else mask.sum().clamp(min=1)
