"""What a batch is to be classified as."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812


@dataclass(frozen=True)
class Targets:
    """What a batch is to be classified as: images or pixels, hard or soft.

    Attributes:
        labels: Class indices, int64, of shape ``(N, *)``: ``(N,)`` for
            images, ``(N, H, W)`` for pixels.
        scores: Soft targets ``(N, K)`` that take the place of ``labels`` where
            images are mixed (mixup, CutMix), or None.
        ignore_index: The label that marks a position without a class.
        indices: Which samples of the training set the images are, int64
            ``(N,)``, or None where data samples carry no ``sample_idx``.
    """

    labels: Tensor
    scores: Tensor | None = None
    ignore_index: int = -100
    indices: Tensor | None = None

    @property
    def valid(self) -> Tensor:
        """Which positions have a class: bool of shape ``(N, *)``."""
        return self.labels != self.ignore_index

    def resized(self, size: torch.Size | tuple[int, ...]) -> 'Targets':
        """The targets on a map of another size, by nearest neighbour.

        Args:
            size: The spatial size ``(H, W)`` of the logits, empty for images.
        """
        if tuple(self.labels.shape[1:]) == tuple(size):
            return self
        # Nearest-neighbour interpolation is defined for floats alone, which
        # hold every class index exactly.
        labels = F.interpolate(self.labels[:, None].float(), tuple(size))
        return replace(self, labels=labels[:, 0].long())

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy over the positions that have a class.

        Args:
            logits: ``(N, K, *)``; the targets are resized to its map.

        Returns:
            A scalar; zero, with gradient, where no position has a class.
        """
        if self.scores is not None:
            return F.cross_entropy(logits.float(), self.scores)
        targets = self.resized(logits.shape[2:])
        total = F.cross_entropy(
            logits.float(),
            targets.labels,
            ignore_index=self.ignore_index,
            reduction='sum',
        )
        return total / targets.valid.sum().clamp(min=1)
