"""Predictions of several labels an image, and the score that follows from them."""

from collections.abc import Iterator
from itertools import chain, zip_longest

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

SHUFFLES = 100
"""How often images, and how often classes, change places to see what chance reaches."""


class Ranking:
    """How high the images of each class stand among all, by their predictions.

    Attributes:
        metric: What the score is called.
        key: What validation calls it.
        rival: What has the score :attr:`to_beat`.
    """

    metric = 'mAP'
    key = 'multi-label/mAP'
    rival = f'the best of {SHUFFLES} shuffles each of images and of classes'

    def __init__(self) -> None:
        self._images: list[tuple[Tensor, Tensor]] = []

    def add(self, labels: Tensor, predictions: Tensor) -> None:
        """Take one image.

        Args:
            labels: 1 for each class that it has, 0 for the others, ``(K,)``.
            predictions: How sure each class is, ``(K,)``.
        """
        self._images.append((labels.cpu(), predictions.float().cpu()))

    def gather(self) -> None:
        """Take the images of all processes, in the order of one that has them all."""
        shares = zip_longest(*all_gather_object(self._images))
        self._images = [pair for pair in chain(*shares) if pair is not None]

    @property
    def lacks(self) -> str:
        """Why there is no score, as what the images have; empty if there is one."""
        if not self._images or not self._labels.any():
            return 'no labels'
        return '' if self._telling.any() else 'one and the same labels'

    @property
    def score(self) -> float:
        """The mean average precision in per cent."""
        return self._score_of(self._labels)

    @property
    def to_beat(self) -> float:
        """The best score of the same predictions for labels that are not their own.

        A constant ranks nothing, and what is random is now better than its mean,
        now worse. Labels of other classes belong to the same images: between classes
        that occur together a teacher in a wrong order is better than chance.
        """
        return max(map(self._score_of, self._shuffled()))

    @property
    def _labels(self) -> Tensor:
        return torch.stack([labels for labels, _ in self._images])

    def _shuffled(self) -> Iterator[Tensor]:
        """The labels of other images, and of other classes, none in its place."""
        labels, generator = self._labels, torch.Generator().manual_seed(0)
        classes = self._telling.nonzero().flatten()
        for _ in range(SHUFFLES):
            yield labels[torch.randperm(len(labels), generator=generator)]
            if len(classes) > 1:
                order = classes[torch.randperm(len(classes), generator=generator)]
                yield labels.index_copy(1, order, labels[:, order.roll(1)])

    @property
    def _telling(self) -> Tensor:
        """Which classes some images have and others have not, bool ``(K,)``."""
        return self._labels.any(0) & ~self._labels.all(0)

    def _score_of(self, labels: Tensor) -> float:
        # Segmentation goes without the package's start-up time.
        from mmpretrain.evaluation import AveragePrecision

        predictions = torch.stack([predictions for _, predictions in self._images])
        telling = self._telling
        return float(
            AveragePrecision.calculate(predictions[:, telling], labels[:, telling])
        )
