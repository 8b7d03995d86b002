"""Classification targets of a batch."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.label_vote import majority


@dataclass(frozen=True)
class Targets:
    """Classification targets of a batch: for images or pixels, hard or soft.

    Attributes:
        labels: Class indices, int64, of shape ``(N, *)``: ``(N,)`` for
            images, ``(N, H, W)`` for pixels.
        scores: Targets ``(N, K)`` that replace ``labels``: soft ones if images
            are mixed (mixup, CutMix), one for each class if an image has several
            labels; or None.
        ignore_index: The label that marks a position without a class.
        data_samples: The annotations that they were read from.
        exclusive: Whether a position has exactly one class, as with softmax;
            otherwise each class is true or false independently.
        align_corners: Whether the centres of the corners coincide when a label
            map is resized.
        num_classes: The number of classes in the labels, if known.
    """

    labels: Tensor
    scores: Tensor | None = None
    ignore_index: int = -100
    data_samples: Sequence[BaseDataElement] = ()
    exclusive: bool = True
    align_corners: bool = False
    num_classes: int | None = None
    _resized: dict[tuple[int, ...], 'Targets'] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    @property
    def indices(self) -> Tensor | None:
        """Indices of the images in the training set, int64 ``(N,)``.

        None if data samples have no ``sample_idx``.
        """
        return _indices_of(self.data_samples, self.labels.device)

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

        Binary, summed over the classes, if they are not mutually exclusive or
        a single channel separates two classes.

        Args:
            logits: ``(N, K, *)``; the targets are resized to match.

        Returns:
            A scalar; zero, with gradient, if no position has a class.
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
        """Targets for a sigmoid of each class, ``(N, classes, *)``."""
        if self.scores is not None:
            return self.scores
        labels = self.labels.where(self.valid, 0)
        if classes == 1:
            return labels.unsqueeze(1)
        return F.one_hot(labels, classes).movedim(-1, 1)


# Numbers are constants to a compiler: it would compile again for every batch.
@torch.compiler.disable
def _indices_of(
    samples: Sequence[BaseDataElement], device: torch.device
) -> Tensor | None:
    if not samples or 'sample_idx' not in samples[0]:
        return None
    numbers = torch.tensor([sample.sample_idx for sample in samples])
    return numbers.to(device, non_blocking=True)
