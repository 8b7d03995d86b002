"""Sums over large maps, computed in pieces that fit into the processor's cache.

Most of the cost of an operation on a whole map is new memory, which the system zeroes
page by page; the pieces of a map reuse theirs. Only the gradient is kept.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, grad

PIECE = 2**18
"""Elements per piece: a megabyte of float32, which the cache of one core holds."""

LARGEST_KEPT = 31 * 2**20
"""Bytes below which the GNU C library may keep freed memory for the next allocation.

Its threshold starts below the size of a piece and rises to the size of what has been
freed, to at most 32 MB.
"""

Part = Callable[..., Tensor]
"""Computes a piece's share of a sum from pieces of the student and the constants."""


def sum_of_pieces(
    part: Part, student: Tensor, *constants: Tensor, dims: Sequence[int]
) -> Tensor:
    """Sum over the pieces of a map, differentiable only in the student.

    Ordinary autograd runs on each piece in the forward pass, so that only the piece's
    part of the gradient is kept: in total, one tensor of the student's size. A second
    backward pass through a retained graph recomputes it, and second derivatives are
    computed on the whole map.

    On devices other than CPUs the whole map is one piece. On small maps and in
    compiled models ``part`` is called directly, as if this function were not there.

    Args:
        part: Computes the summand of a piece.
        student: The tensor to differentiate, in any memory layout.
        constants: Tensors that broadcast with it, except that each has the same
            length in the dimensions that are cut.
        dims: Dimensions that may be cut, outermost first.

    Returns:
        A scalar.
    """
    inputs = (student, *(constant.detach() for constant in constants))
    if student.numel() <= PIECE or torch.compiler.is_compiling():
        return part(*inputs)
    if student.device.type == 'cpu':
        # Allocated and freed so that the next piece can reuse the memory of the last.
        torch.empty(LARGEST_KEPT, dtype=torch.uint8)
    else:
        dims = ()
    if torch.is_grad_enabled() and student.requires_grad:
        return _Sum.apply(part, dims, *inputs)
    return torch.stack([part(*each) for each in _pieces(inputs, dims)]).sum()


class _Sum(Function):
    @staticmethod
    def forward(
        ctx: Any, part: Part, dims: Sequence[int], *inputs: Tensor
    ) -> Tensor:
        ctx.part, ctx.dims = part, dims
        ctx.save_for_backward(*inputs)
        total, ctx.gradient = _differentiated(part, dims, inputs)
        return total

    @staticmethod
    def backward(ctx: Any, outer: Tensor) -> tuple[Tensor | None, ...]:
        inputs = ctx.saved_tensors
        # Do not keep it: its receiver may change it in place, as happens below.
        gradient, ctx.gradient = ctx.gradient, None
        if torch.is_grad_enabled():
            # With create_graph: the gradient itself must be differentiable.
            total = ctx.part(*inputs)
            gradient = grad(total, inputs[0], outer, create_graph=True)[0]
        else:
            if gradient is None:
                _, gradient = _differentiated(ctx.part, ctx.dims, inputs)
            gradient = gradient.mul_(outer).to(inputs[0].dtype)
        return None, None, gradient, *[None] * (len(inputs) - 1)


def _differentiated(
    part: Part, dims: Sequence[int], inputs: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """The sum, and its gradient in the layout of the first input.

    The gradient is at least float32: it is yet to be scaled.
    """
    dtype = torch.promote_types(inputs[0].dtype, torch.float32)
    gradient, totals = torch.empty_like(inputs[0], dtype=dtype), []
    for student, *constants, target in _pieces((*inputs, gradient), dims):
        with torch.enable_grad():
            leaf = student.detach().to(dtype).requires_grad_()
            total = part(leaf, *constants)
        target.copy_(grad(total, leaf)[0])
        totals.append(total.detach())
    return torch.stack(totals).sum(), gradient


def _pieces(
    tensors: Sequence[Tensor], dims: Sequence[int]
) -> Iterator[Sequence[Tensor]]:
    """Cut along the first dimension, and along the next if that is not enough."""
    first = tensors[0]
    if not dims or first.numel() <= PIECE:
        yield tensors
        return
    length = max(PIECE * first.shape[dims[0]] // first.numel(), 1)
    cuts = (tensor.split(length, dims[0]) for tensor in tensors)
    for cut in zip(*cuts, strict=True):
        yield from _pieces(cut, dims[1:])
