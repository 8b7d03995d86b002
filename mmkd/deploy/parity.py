"""Checks that a graph computes what its network does."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmkd.deploy.graph import Graph, GraphError
from mmkd.deploy.images import at_size
from mmkd.deploy.network import Network
from mmkd.models.probing import FAILURES

TOLERANCE = 1e-4
"""Largest allowed difference relative to the largest logit, or to 1 if all are smaller.

Rounding errors in float32 grow with the values that are summed.
"""

LARGE, STEP = 128, 32
"""The side from which the second size is the smaller one, and the number that sides are
a multiple of if a network does not accept odd ones."""


@dataclass(frozen=True)
class Difference:
    """The difference between two sets of logits.

    Attributes:
        shape: Shape of a batch of images, ``(N, C, H, W)``.
        largest: The largest absolute difference.
        scale: The largest absolute logit.
        alike: The fraction of positions that have the same class, or classes.
    """

    shape: tuple[int, ...]
    largest: float
    scale: float
    alike: float

    @property
    def relative(self) -> float:
        """The largest difference, as :data:`TOLERANCE` measures it."""
        return self.largest / max(1.0, self.scale)

    def __str__(self) -> str:
        """A human-readable line."""
        batch, _, height, width = self.shape
        return (
            f'batch {batch}, {height} x {width}: largest difference {self.largest:.1e} '
            f'of logits up to {self.scale:.3g} ({self.relative:.1e}), '
            f'{100 * self.alike:.6g} % have the same class'
        )


def difference(
    given: Tensor,
    expected: Tensor,
    shape: Sequence[int],
    threshold: float | None = None,
) -> Difference:
    """Compare logits ``(N, K, *)`` with the expected ones.

    Args:
        given: The logits of a graph.
        expected: Those of its network.
        shape: Shape of a batch of images.
        threshold: The probability from which a class is predicted; None if the highest
            logit is.

    Raises:
        ValueError: If their shapes differ.
    """
    if given.shape != expected.shape:
        raise ValueError(
            f'for batches {tuple(shape)} onnxruntime returns logits of shape '
            f'{tuple(given.shape)} in total, but PyTorch {tuple(expected.shape)}.'
        )
    if threshold is None:
        alike = given.argmax(1) == expected.argmax(1)
    else:
        own, other = (logits.sigmoid() > threshold for logits in (given, expected))
        alike = (own == other).all(1)
    return Difference(
        tuple(shape),
        float((given - expected).abs().max()),
        float(expected.abs().max()),
        float(alike.double().mean()),
    )


def second_size(size: Sequence[int]) -> tuple[int, int]:
    """Another height and width, both odd: smaller, or larger for small images."""
    height, width = (
        (side * 3 // 4 if side >= LARGE else side * 5 // 4) | 1 for side in size
    )
    return height, width


def check(
    network: Network, graph: Graph, images: Sequence[Tensor], fixed: bool = False
) -> Iterator[Difference]:
    """Compare a graph with its network, at two batch sizes and two image sizes.

    Args:
        network: What was traced.
        graph: Its graph.
        images: Each ``(1, C, H, W)``; all are resized to the size of the first. Of a
            single one, the mirror image is the second.
        fixed: Whether the graph supports only this size.

    Yields:
        The difference at each size.

    Raises:
        ValueError: If they differ by more than :data:`TOLERANCE`.
    """
    own = (images[0].shape[2], images[0].shape[3])
    if len(images) == 1:
        images = [images[0], images[0].flip(3)]
    sizes = [own] if fixed else [own, _other(network, images[0], own)]
    for size in sizes:
        scaled = at_size(images, size)
        for batches in (scaled, [torch.cat(scaled[:2])]):
            advice = '' if size == own else ' --fixed exports it for one size.'
            with torch.no_grad():
                expected = torch.cat([network(batch) for batch in batches])
            try:
                given = torch.cat([graph(batch) for batch in batches])
            except GraphError as error:
                shape = ' x '.join(map(str, size))
                raise ValueError(
                    f'the graph of {network.kind} does not run on images of {shape}: '
                    f'{error}.{advice}'
                ) from error
            found = difference(
                given, expected, batches[0].shape, network.threshold
            )
            if not found.relative <= TOLERANCE:
                raise ValueError(
                    f'the graph does not compute what {network.kind} does. {found}; '
                    f'{TOLERANCE:g} is allowed.{advice}'
                )
            yield found


def _other(network: Network, image: Tensor, own: Sequence[int]) -> tuple[int, int]:
    """A second size that the network accepts, odd if possible."""
    size = second_size(own)
    if network.divisor == 1:
        try:
            with torch.no_grad():
                network(at_size([image], size)[0])
        except FAILURES:
            pass
        else:
            return size
    step = max(STEP, network.divisor)
    height, width = (-(-side // step) * step for side in size)
    return height, width
