"""What a batch is to be classified as."""

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.label_vote import majority


@dataclass(frozen=True)
class Targets:
    """What a batch is to be classified as: images or pixels, hard or soft.

    Attributes:
        labels: Class indices, int64, of shape ``(N, *)``: ``(N,)`` for
            images, ``(N, H, W)`` for pixels.
        scores: Targets ``(N, K)`` that take the place of ``labels``: soft ones
            where images are mixed (mixup, CutMix), one for each class where an
            image has several labels; or None.
        ignore_index: The label that marks a position without a class.
        indices: Which samples of the training set the images are, int64
            ``(N,)``, or None where data samples carry no ``sample_idx``.
        exclusive: Whether a position has one class alone, as under softmax;
            otherwise each class is true or false by itself.
        align_corners: How label maps lie on maps of another size: whether the
            centres of their corners coincide.
        num_classes: How many classes labels may have, where it is known.
    """

    labels: Tensor
    scores: Tensor | None = None
    ignore_index: int = -100
    indices: Tensor | None = None
    exclusive: bool = True
    align_corners: bool = False
    num_classes: int | None = None
    _resized: dict[tuple[int, ...], 'Targets'] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def valid(self) -> Tensor:
        """Which positions are classified: bool of shape ``(N, *)``."""
        if self.scores is not None:
            return torch.ones_like(self.labels, dtype=torch.bool)
        return self.labels != self.ignore_index

    def resized(self, size: torch.Size | tuple[int, ...]) -> 'Targets':
        """The targets on a map of another size, by :func:`majority`.

        Args:
            size: The spatial size ``(H, W)`` of the logits, empty for images.
        """
        size = tuple(size)
        if tuple(self.labels.shape[1:]) == size:
            return self
        if size not in self._resized:
            labels = majority(
                self.labels,
                size,
                self.ignore_index,
                self.align_corners,
                self.num_classes,
            )
            self._resized[size] = replace(self, labels=labels)
        return self._resized[size]

    def cross_entropy(self, logits: Tensor) -> Tensor:
        """Mean cross-entropy over the positions that have a class.

        Binary, summed over the classes, where they do not exclude each other or
        one channel tells two classes apart.

        Args:
            logits: ``(N, K, *)``; the targets are resized to its map.

        Returns:
            A scalar; zero, with gradient, where no position has a class.
        """
        logits, targets = logits.float(), self.resized(logits.shape[2:])
        if logits.shape[1] == 1 or not self.exclusive:
            expected = targets._expected(logits.shape[1]).to(logits)
            each = F.binary_cross_entropy_with_logits(
                logits, expected, reduction='none'
            ).sum(1)
            total = each.where(targets.valid, 0).sum()
        elif self.scores is not None:
            return F.cross_entropy(logits, self.scores)
        else:
            total = F.cross_entropy(
                logits,
                targets.labels,
                ignore_index=self.ignore_index,
                reduction='sum',
            )
        return total / targets.valid.sum().clamp(min=1)

    def _expected(self, classes: int) -> Tensor:
        """What a sigmoid of each class should say, ``(N, classes, *)``."""
        if self.scores is not None:
            return self.scores
        labels = self.labels.where(self.valid, 0)
        if classes == 1:
            return labels.unsqueeze(1)
        return F.one_hot(labels, classes).movedim(-1, 1)
