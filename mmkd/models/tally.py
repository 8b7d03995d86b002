"""Counts of predictions against labels, and the scores computed from them."""

import torch
from mmengine.dist import all_reduce
from torch import Tensor


class Tally:
    """A confusion matrix of labels and predictions.

    Args:
        num_classes: Number of classes.
        mean_iou: Whether the score is the mean intersection over union, as for
            pixels, or the accuracy, as for images.

    Attributes:
        counts: Images or pixels by label and by prediction, ``(K, K + 1)``; the
            last column is for predictions that are none of the classes.
        rival: What reaches the score :attr:`to_beat`.
    """

    rival = 'the best constant prediction'

    def __init__(self, num_classes: int, mean_iou: bool) -> None:
        self.mean_iou = mean_iou
        self.counts = torch.zeros(num_classes, num_classes + 1, dtype=torch.float64)

    @property
    def metric(self) -> str:
        """The name of the score."""
        return 'mIoU' if self.mean_iou else 'top-1 accuracy'

    def add(self, labels: Tensor, predictions: Tensor) -> None:
        """Count one image.

        Args:
            labels: Class indices; those that are not a class are ignored.
            predictions: Class indices of the same shape; -1 for any other class.
        """
        size = len(self.counts)
        labels, predictions = labels.flatten().cpu(), predictions.flatten().cpu()
        known = (labels >= 0) & (labels < size)
        predictions = predictions[known].long() % (size + 1)
        pairs = labels[known].long() * (size + 1) + predictions
        counted = torch.bincount(pairs, minlength=self.counts.numel())
        self.counts += counted.view_as(self.counts)

    def gather(self) -> None:
        """Add up the counts of all processes."""
        all_reduce(self.counts)

    @property
    def key(self) -> str:
        """The name of the score in validation."""
        return 'mIoU' if self.mean_iou else 'accuracy/top1'

    @property
    def lacks(self) -> str:
        """What the images have that prevents a score; empty if there is one."""
        classes = int(self.counts.sum(1).count_nonzero())
        return ('no labels', 'labels of only one class', '')[min(classes, 2)]

    @property
    def score(self) -> float:
        """The score in per cent."""
        return self._score_of(self.counts)

    @property
    def to_beat(self) -> float:
        """The best score, in per cent, of predicting the same class everywhere."""
        best = self.counts.sum(1).argmax()
        always = torch.zeros_like(self.counts)
        always[:, best] = self.counts.sum(1)
        return self._score_of(always)

    def _score_of(self, counts: Tensor) -> float:
        right = counts.diag()
        if not self.mean_iou:
            return float(100 * right.sum() / counts.sum())
        # A class without labels has no IoU.
        union = counts.sum(0)[:-1] + counts.sum(1) - right
        return float(100 * (right / union)[counts.sum(1) > 0].mean())
