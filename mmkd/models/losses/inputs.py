"""Checks and conversions of the arguments of losses, and masked means."""

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
    """Return ``value`` if it is a finite number of at least zero.

    Raises:
        ValueError: If it is not.
    """
    if not 0 <= value < math.inf:
        raise ValueError(f'{name} must be finite and at least 0, got {value}')
    return value


def check_pair(
    student: Tensor, teacher: Tensor, ndim: int | None, same_width: bool = True
) -> None:
    """Check the shapes of a pair to compare.

    Args:
        student: The student's tensor, ``(N, C, *)``.
        teacher: The teacher's tensor.
        ndim: Required number of dimensions; None for any number from 2.
        same_width: Whether both must have the same ``C``.

    Raises:
        ValueError: If the shapes do not match.
    """
    shapes = f'student has {tuple(student.shape)}, teacher {tuple(teacher.shape)}'
    if ndim is not None and {student.dim(), teacher.dim()} != {ndim}:
        raise ValueError(f'tensors of {ndim} dimensions are needed, got: {shapes}')
    if min(student.dim(), teacher.dim()) < 2:
        raise ValueError(f'at least 2 dimensions (N, C) are needed, got: {shapes}')
    if same_width and student.shape != teacher.shape:
        raise ValueError(f'student and teacher must have the same shape, got: {shapes}')
    if student.shape[:1] + student.shape[2:] != teacher.shape[:1] + teacher.shape[2:]:
        raise ValueError(
            f'student and teacher may differ only in dimension 1, got: {shapes}'
        )


def widen(tensor: Tensor) -> Tensor:
    """Convert half precision to float32; keep float32 and float64."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def prepare_pair(
    student: Tensor,
    teacher: Tensor,
    ndim: int | None = None,
    same_width: bool = True,
) -> tuple[Tensor, Tensor]:
    """Check a pair, convert it to a common dtype and detach the teacher.

    Args:
        student: The student's tensor, ``(N, C, *)``.
        teacher: The teacher's tensor.
        ndim: See :func:`check_pair`.
        same_width: See :func:`check_pair`.

    Returns:
        Both in at least float32.

    Raises:
        ValueError: If the shapes do not match.
    """
    check_pair(student, teacher, ndim, same_width)
    dtype = torch.promote_types(widen(student).dtype, widen(teacher).dtype)
    return student.to(dtype), teacher.detach().to(dtype)


def two_classes(logits: Tensor) -> Tensor:
    """Prepend a zero to a single channel, so that the softmax is its sigmoid.

    Args:
        logits: ``(N, K, *)``, returned unchanged if ``K`` is above 1.
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
        ValueError: If it does not.
    """
    shape = logits.shape[:1] + logits.shape[2:]
    if tensor.shape != shape:
        raise ValueError(
            f'{name} must have one entry per position, shape {tuple(shape)}, '
            f'got {tuple(tensor.shape)}'
        )


def check_mask(mask: Tensor | None, logits: Tensor) -> None:
    """Check a mask of the positions of ``(N, C, *)`` that count.

    Raises:
        TypeError: If it is not bool.
        ValueError: If it does not have one entry per position.
    """
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(f'mask must be of dtype torch.bool, got {mask.dtype}')
    check_positions('mask', mask, logits)


def masked_mean(values: Tensor, mask: Tensor | None) -> Tensor:
    """Mean over the positions that count; zero, with a gradient, if none do.

    Args:
        values: One value per position, ``(N, *)``.
        mask: Bool of the same shape, True at positions that count; all if None.
    """
    return masked_sum(values, mask) / number_of(values.shape, mask)


def masked_sum(values: Tensor, mask: Tensor | None) -> Tensor:
    """Sum over the positions that count, see :func:`masked_mean`."""
    return values.sum() if mask is None else values.where(mask, 0).sum()


def number_of(shape: Sequence[int], mask: Tensor | None) -> Tensor | int:
    """Number of positions of a shape that count, or 1 if none do."""
    return max(math.prod(shape), 1) if mask is None else mask.sum().clamp(min=1)
