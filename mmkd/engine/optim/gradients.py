"""Arithmetic on the gradients of two losses, parameter by parameter."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

PIECE = 2**17
"""Elements compared at once on a CPU: one megabyte in float64, which fits in cache."""

NO_DIRECTION = torch.finfo(torch.float32).tiny
"""Squared norm up to which a gradient counts as zero."""

Gradients = dict[nn.Parameter, Tensor | None]
"""A gradient kept separately from ``.grad``."""


def backward_into(
    store: Gradients, loss: Tensor, parameters: Iterable[nn.Parameter], **kwargs: Any
) -> None:
    """Add a loss's gradients to a store, leaving ``.grad`` as it was.

    The store's tensors take the place of ``.grad`` while the backward pass
    runs: nothing is copied, and activation checkpointing works, which
    ``torch.autograd.grad`` does not support.

    Args:
        store: What has been accumulated so far; updated in place.
        loss: A scalar.
        parameters: Every parameter that the loss may reach.
        kwargs: Arguments of :meth:`torch.Tensor.backward`.
    """
    parameters = list(parameters)
    _swap(store, parameters)
    try:
        loss.backward(**kwargs)
    finally:
        _swap(store, parameters)


def _swap(store: Gradients, parameters: list[nn.Parameter]) -> None:
    for parameter in parameters:
        kept = store.get(parameter)
        store[parameter] = parameter.grad
        parameter.grad = kept


class Comparison(NamedTuple):
    """How two gradients relate, from their three inner products.

    Attributes:
        product: Their inner product, a scalar.
        first_squared: Squared norm of the first.
        second_squared: Squared norm of the second.
    """

    product: Tensor
    first_squared: Tensor
    second_squared: Tensor

    @property
    def cosine(self) -> Tensor:
        """Cosine of the angle between them, 0 where one of them is 0."""
        norms = self.first_squared.sqrt() * self.second_squared.sqrt()
        return torch.where(norms == 0, 0.0, self.product / norms)

    @property
    def opposition(self) -> Tensor:
        """How far the second opposes the first, in multiples of the first.

        ``min(0, product) / first_squared``, and 0 where the first has no direction.
        """
        opposed = self.product.clamp(max=0) / self.first_squared
        return torch.where(self.first_squared > NO_DIRECTION, opposed, 0.0)


def compare(
    first: Sequence[Tensor | None], second: Sequence[Tensor | None]
) -> Comparison:
    """Compare two gradients, each given parameter by parameter.

    Computed in float64 if the device supports it: products of gradients that a
    loss scaler has enlarged overflow float32 long before the gradients do.

    Args:
        first: One tensor per parameter, None where the loss did not reach it.
        second: The other gradient, with the same shapes.

    Returns:
        Scalars on the gradients' device, without synchronising with it.
    """
    products, first_squares, second_squares = [], [], []
    for pair in zip(first, second, strict=True):
        for one, other in _pieces(*pair):
            first_squares.append(one.dot(one))
            second_squares.append(other.dot(other))
            products.append(one.dot(other))
    return Comparison(_total(products), _total(first_squares), _total(second_squares))


def _pieces(*pair: Tensor | None) -> Iterator[tuple[Tensor, ...]]:
    """Parts of a parameter's gradients, each a vector in float64, 0 for None.

    They follow the order in memory, so that no layout is copied. On CPUs they are so
    small that their copies in float64 stay in the cache.
    """
    gradients = [gradient for gradient in pair if gradient is not None]
    if not gradients:
        return
    one = gradients[0]
    order = sorted(range(one.dim()), key=one.stride, reverse=True)
    size = PIECE if one.device.type == 'cpu' else max(one.numel(), 1)
    wide = torch.float32 if one.device.type == 'mps' else torch.float64
    zeros = one.new_zeros(1).expand(one.numel())
    vectors = [zeros if g is None else g.permute(order).flatten() for g in pair]
    for cut in zip(*(vector.split(size) for vector in vectors), strict=True):
        yield tuple(part.to(wide) for part in cut)


def _total(terms: list[Tensor]) -> Tensor:
    return torch.stack(terms).sum() if terms else torch.zeros(())
