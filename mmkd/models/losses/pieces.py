"""Sums over large maps, taken piece by piece while each is in the processor's cache.

What an operation on a whole map costs is mostly new memory, which the system clears
page by page; the pieces of a map reuse theirs. What stays is the gradient.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function, grad

PIECE = 2**18
"""Elements of a piece: a megabyte of float32, what the cache of one core holds."""

LARGEST_KEPT = 31 * 2**20
"""Bytes below which the GNU C library may keep what is freed, for the next allocation.

It starts at less than a piece and rises to the size of what has been freed, 32 MB at
most.
"""

Part = Callable[..., Tensor]
"""A piece's share in a sum, a scalar: takes pieces of the student and the constants."""


def sum_of_pieces(
    part: Part, student: Tensor, *constants: Tensor, dims: Sequence[int]
) -> Tensor:
    """Sum over the pieces of a map, with the gradient of the student alone.

    Ordinary automatic differentiation runs on each piece in the forward pass, so
    that nothing of a piece is kept but its part of the gradient: one tensor of the
    student's size. A second backward pass through a retained graph computes it again,
    and second derivatives are those of the whole map.

    On other devices than CPUs there is one piece, the whole. On small maps and in
    compiled models ``part`` is called on what was given, as if this function were not
    there.

    Args:
        part: What is summed.
        student: The tensor that is differentiated, of any memory layout.
        constants: Tensors that broadcast with it, but in the dimensions that are cut,
            where each is as long.
        dims: Dimensions that may be cut, the outermost first.

    Returns:
        A scalar.
    """
    inputs = (student, *(constant.detach() for constant in constants))
    if student.numel() <= PIECE or torch.compiler.is_compiling():
        return part(*inputs)
    if student.device.type == 'cpu':
        # Allocated and freed, so that the memory of one piece is there for the next.
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
        # Who gets the gradient may change it in place, as is done here.
        gradient, ctx.gradient = ctx.gradient, None
        if torch.is_grad_enabled():
            # With create_graph: the gradient is to have one itself.
            total = ctx.part(*inputs)
            gradient = grad(total, inputs[0], outer, create_graph=True)[0]
        else:
            if gradient is None:
                _, gradient = _differentiated(ctx.part, ctx.dims, inputs)
            gradient.mul_(outer)
        return None, None, gradient, *[None] * (len(inputs) - 1)


def _differentiated(
    part: Part, dims: Sequence[int], inputs: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """The sum, and its gradient in the layout of the first input."""
    gradient, totals = torch.empty_like(inputs[0]), []
    for student, *constants, target in _pieces((*inputs, gradient), dims):
        with torch.enable_grad():
            leaf = student.detach().requires_grad_()
            total = part(leaf, *constants)
        target.copy_(grad(total, leaf)[0])
        totals.append(total.detach())
    return torch.stack(totals).sum(), gradient


def _pieces(
    tensors: Sequence[Tensor], dims: Sequence[int]
) -> Iterator[Sequence[Tensor]]:
    """Cut along the first dimension, and along the next where that is too little."""
    first = tensors[0]
    if not dims or first.numel() <= PIECE:
        yield tensors
        return
    length = max(PIECE * first.shape[dims[0]] // first.numel(), 1)
    cuts = (tensor.split(length, dims[0]) for tensor in tensors)
    for cut in zip(*cuts, strict=True):
        yield from _pieces(cut, dims[1:])
