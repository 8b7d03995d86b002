"""Predictions of several labels per image, and their score."""

from collections.abc import Iterator
from itertools import chain, zip_longest

import torch
from mmengine.dist import all_gather_object
from torch import Tensor

SHUFFLES = 100
"""How often images and classes are each shuffled to estimate the score of chance."""


class Ranking:
    """How high the images of each class rank among all, by their predictions.

    Attributes:
        metric: The name of the score.
        key: Its name in validation.
        rival: What reaches the score :attr:`to_beat`.
    """

    metric = 'mAP'
    key = 'multi-label/mAP'
    rival = f'the best of {SHUFFLES} shuffles each of images and of classes'

    def __init__(self) -> None:
        self._images: list[tuple[Tensor, Tensor]] = []

    def add(self, labels: Tensor, predictions: Tensor) -> None:
        """Add one image.

        Args:
            labels: 1 for each class that it has, 0 for the others, ``(K,)``.
            predictions: The score of each class, ``(K,)``.
        """
        self._images.append((labels.cpu(), predictions.float().cpu()))

    def gather(self) -> None:
        """Gather the images of all processes, in the order of a single process."""
        shares = zip_longest(*all_gather_object(self._images))
        self._images = [pair for pair in chain(*shares) if pair is not None]

    @property
    def lacks(self) -> str:
        """What the images have that prevents a score; empty if there is one."""
        if not self._images or not self._labels.any():
            return 'no labels'
        return '' if self._telling.any() else 'only identical labels'

    @property
    def score(self) -> float:
        """The mean average precision in per cent."""
        return self._score_of(self._labels)

    @property
    def to_beat(self) -> float:
        """The best score of the same predictions against shuffled labels.

        A constant ranks nothing, and random predictions vary around their mean.
        Shuffled classes keep their images: if classes occur together, a teacher with
        the wrong class order is better than chance.
        """
        return max(map(self._score_of, self._shuffled()))

    @property
    def _labels(self) -> Tensor:
        return torch.stack([labels for labels, _ in self._images])

    def _shuffled(self) -> Iterator[Tensor]:
        """Labels of other images, and of other classes, each of which is moved."""
        labels, generator = self._labels, torch.Generator().manual_seed(0)
        classes = self._telling.nonzero().flatten()
        for _ in range(SHUFFLES):
            yield labels[torch.randperm(len(labels), generator=generator)]
            if len(classes) > 1:
                order = classes[torch.randperm(len(classes), generator=generator)]
                yield labels.index_copy(1, order, labels[:, order.roll(1)])

    @property
    def _telling(self) -> Tensor:
        """Which classes some images have and others lack, bool ``(K,)``."""
        return self._labels.any(0) & ~self._labels.all(0)

    def _score_of(self, labels: Tensor) -> float:
        # Imported here to spare segmentation the package's import time.
        from mmpretrain.evaluation import AveragePrecision

        predictions = torch.stack([predictions for _, predictions in self._images])
        telling = self._telling
        return float(
            AveragePrecision.calculate(predictions[:, telling], labels[:, telling])
        )
