"""Image classification."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.models.ranking import Ranking
from mmkd.models.tally import Tally
from mmkd.models.tasks.base import Task, image_of
from mmkd.structures import Targets


class ImageTask(Task):
    """Image classification with MMPretrain: logits ``(N, K)``.

    Args:
        exclusive: See :class:`Task`.
        several_labels: Whether an image may have any number of classes.
        num_classes: Width of the head; required for several labels.
    """

    spatial_dims = 0

    def __init__(
        self, exclusive: bool = True, several_labels: bool = False, num_classes: int = 0
    ) -> None:
        super().__init__(exclusive)
        self.several_labels = several_labels
        self.num_classes = num_classes

    @property
    def predicts_softmax(self) -> bool:
        """True if each image has one class."""
        return not self.several_labels

    @property
    def one_class_each(self) -> bool:
        """False if the head takes several labels."""
        return not self.several_labels

    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predicted class of one image, or the score of each, ``(K,)``."""
        several = self.several_labels
        return data_sample.pred_score if several else data_sample.pred_label

    def expected_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class of one image, or 1 for each of its classes, ``(K,)``."""
        if not self.several_labels:
            return super().expected_of(data_sample)
        if 'gt_score' in data_sample:
            return data_sample.gt_score
        if 'gt_label' in data_sample:
            return self._scores_of(data_sample.gt_label)
        return torch.empty(0)

    def tally(self, num_classes: int) -> Tally | Ranking:
        """Several labels have no accuracy; images are ranked instead."""
        return Ranking() if self.several_labels else super().tally(num_classes)

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Labels ``(N,)`` and scores ``(N, K)``.

        Scores are those of the samples, soft for mixed images, or 1 for each
        label if the head takes several. The label is then the best-scored class.
        Integer scores of single labels (``to_onehot`` of the data preprocessor) say
        no more than the labels and do not count.

        Raises:
            ValueError: See :meth:`check_targets`.
        """
        self.check_targets(data_samples)
        for sample in data_samples:
            if 'gt_score' not in sample and 'gt_label' not in sample:
                raise ValueError(
                    f'{image_of(sample)} has neither a single gt_label nor gt_score: '
                    'the data pipeline must end in PackInputs with labels.'
                )
        scores, scored = None, 'gt_score' in data_samples[0]
        single = all(_count(sample) == 1 for sample in data_samples)
        # Their type tells it without a look at values, which may be on a device.
        soft = scored and any(s.gt_score.is_floating_point() for s in data_samples)
        if scored and (soft or not single):
            scores = torch.stack([sample.gt_score.float() for sample in data_samples])
        elif self.several_labels:
            scores = torch.stack([self._scores_of(s.gt_label) for s in data_samples])
        if scores is None or single:
            labels = torch.cat([sample.gt_label for sample in data_samples])
        else:
            labels = scores.argmax(1).where(scores.any(1), Targets.ignore_index)
        return Targets(
            labels, scores, data_samples=data_samples, exclusive=self.exclusive
        )

    def blank(self, size: Sequence[int]) -> BaseDataElement:
        """The annotations of an image of the first class."""
        return BaseDataElement(gt_label=torch.zeros(1, dtype=torch.long))

    def check_targets(
        self,
        data_samples: Sequence[BaseDataElement],
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Refuse samples whose targets are not of the kind that the head takes.

        Raises:
            ValueError: If only part of the batch has ``gt_score``, or the head
                takes one class per image and an image has several or none; the
                message names the image.
        """
        scored = 'gt_score' in data_samples[0]
        for sample in data_samples:
            if ('gt_score' in sample) != scored:
                raise ValueError(
                    f'{image_of(sample)} has {"no " * scored}gt_score, unlike '
                    f'{image_of(data_samples[0])} in its batch: give all images of the '
                    'data set the same kind of target.'
                )
            several = 'gt_label' in sample and sample.gt_label.numel() != 1
            if several and not scored and not self.several_labels:
                raise ValueError(
                    f'{image_of(sample)} has the labels {sample.gt_label.tolist()}, '
                    "but the student's head takes one class per image: give it one, or "
                    'use a head for several, such as MultiLabelLinearClsHead.'
                )

    def _scores_of(self, labels: Tensor) -> Tensor:
        """1 for each of the labels, ``(K,)``."""
        zeros = torch.zeros(self.num_classes, device=labels.device)
        return zeros.index_fill(0, labels.long(), 1)

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Image logits have no spatial size: they are returned unchanged."""
        return logits

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class index or indices of one image."""
        return data_sample.get('gt_label', torch.empty(0))

    def is_ignored(self, labels: Tensor) -> Tensor:
        """Labels of images are never ignored."""
        return torch.zeros_like(labels, dtype=torch.bool)


def _count(sample: BaseDataElement) -> int:
    """How many labels an image has; 0 if it has none."""
    return sample.gt_label.numel() if 'gt_label' in sample else 0
