"""The interface of a task, whatever it classifies."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from mmkd.models.ranking import Ranking
from mmkd.models.tally import Tally
from mmkd.structures import Targets


class Task(ABC):
    """How to read a model's targets and logit maps.

    Attributes:
        spatial_dims: Number of spatial dimensions of a logit map: 0 for
            images, 2 for pixels.
        exclusive: Whether a position has exactly one class, by the loss that the
            head is trained with: softmax, or one sigmoid per class.
    """

    spatial_dims: int

    def __init__(self, exclusive: bool = True) -> None:
        self.exclusive = exclusive

    @property
    def classified(self) -> str:
        """What is classified, in one word."""
        return 'pixels' if self.spatial_dims else 'images'

    @property
    def predicts_softmax(self) -> bool:
        """Whether the library predicts with a softmax, whatever the loss."""
        return self.exclusive

    @property
    def one_class_each(self) -> bool:
        """Whether a position is labelled with at most one class."""
        return True

    @abstractmethod
    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predictions of one sample, to compare with :meth:`expected_of`."""

    def expected_of(self, data_sample: BaseDataElement) -> Tensor:
        """Class indices of one sample, -1 where ignored; empty where it has none."""
        labels = self.labels_of(data_sample)
        return labels.long().masked_fill(self.is_ignored(labels), -1)

    def tally(self, num_classes: int) -> Tally | Ranking:
        """An accumulator that scores predictions against expected values.

        Args:
            num_classes: Channels of the logits; a single one separates two
                classes.
        """
        return Tally(max(num_classes, 2), mean_iou=self.spatial_dims > 0)

    @abstractmethod
    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Collect the targets of a batch."""

    @abstractmethod
    def blank(self, size: Sequence[int]) -> BaseDataElement:
        """The annotations of an image that is all of the first class.

        Args:
            size: Its height and width.
        """

    @abstractmethod
    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Bring logits ``(N, K, *)`` to the spatial size of another map."""

    @abstractmethod
    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class indices of one sample, any shape."""

    @abstractmethod
    def is_ignored(self, labels: Tensor) -> Tensor:
        """Which labels mark positions without a class, bool of the same shape."""

    @abstractmethod
    def check_targets(
        self,
        data_samples: Sequence[BaseDataElement],
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Refuse samples whose targets are not of the kind that the head takes.

        Args:
            data_samples: The batch's annotations, as the data pipeline gives them.
            inputs: The batch's images ``(C, H, W)``, if available.

        Raises:
            ValueError: If there is one; the message names the image.
        """

    def check_labels(
        self, data_samples: Sequence[BaseDataElement], num_classes: int
    ) -> None:
        """Refuse labels that are not classes, before a loss fails on them.

        Args:
            data_samples: The batch's annotations, as the losses see them.
            num_classes: Channels of the student's logits; a single one separates
                two classes.

        Raises:
            ValueError: If a label lies outside ``[0, num_classes)`` and is not
                the ignored one; the message names it and the image.
        """
        count = max(num_classes, 2)
        found = [(sample, self.labels_of(sample)) for sample in data_samples]
        checked = [
            (sample, labels, self._outside(labels, count))
            for sample, labels in found
            if labels.numel()
        ]
        # One check for the whole batch: it synchronises with the device only once.
        if not checked or not torch.stack([each[2].any() for each in checked]).any():
            return
        sample, labels, outside = next(each for each in checked if each[2].any())
        values = labels[outside].unique().tolist()
        raise ValueError(
            f'labels {values[:5]} of {self._file(sample)} lie outside the {count} '
            f'classes of the model (0 to {count - 1}){self._except()}: set num_classes '
            'to the number of classes in the data, or map or ignore these labels.'
        )

    def _outside(self, labels: Tensor, count: int) -> Tensor:
        return ((labels < 0) | (labels >= count)) & ~self.is_ignored(labels)

    def _except(self) -> str:
        """Which labels are allowed besides the classes."""
        return ''

    def _file(self, sample: BaseDataElement) -> str:
        """How messages name the source of labels."""
        return image_of(sample)


def image_of(sample: BaseDataElement) -> str:
    """How messages name an image."""
    return str(sample.get('img_path') or 'an image without a path')
