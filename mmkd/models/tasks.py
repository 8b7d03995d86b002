"""The one place that knows whether images or pixels are classified."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.exclusive import is_exclusive
from mmkd.structures import Targets


class Task(ABC):
    """How a model's targets and logit maps are to be read.

    Attributes:
        spatial_dims: Number of spatial dimensions of a logit map: 0 for
            images, 2 for pixels.
        exclusive: Whether a position has one class alone, by the loss that the
            head is trained with: softmax, or one sigmoid for each class.
    """

    spatial_dims: int

    def __init__(self, exclusive: bool = True) -> None:
        self.exclusive = exclusive

    @property
    def classified(self) -> str:
        """What has classes, in a word."""
        return 'pixels' if self.spatial_dims else 'images'

    @property
    def predicts_softmax(self) -> bool:
        """Whether the library predicts with a softmax, whatever the loss is."""
        return self.exclusive

    @property
    def one_class_each(self) -> bool:
        """Whether a position is labelled with one class at most."""
        return True

    @abstractmethod
    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predicted class indices of one sample, of the shape of its labels."""

    @abstractmethod
    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Collect the targets of a batch."""

    @abstractmethod
    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Bring logits ``(N, K, *)`` to the spatial size of another map."""

    @abstractmethod
    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class indices of one sample, any shape."""

    @abstractmethod
    def is_ignored(self, labels: Tensor) -> Tensor:
        """Which labels mark positions without a class, bool of their shape."""

    @abstractmethod
    def check_targets(
        self,
        data_samples: Sequence[BaseDataElement],
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Stop at a sample with another kind of target than the head takes.

        Args:
            data_samples: The batch's annotations, as the data pipeline gives them.
            inputs: The batch's images ``(C, H, W)``, where they are at hand.

        Raises:
            ValueError: If there is one; the message names the image.
        """

    def check_labels(
        self, data_samples: Sequence[BaseDataElement], num_classes: int
    ) -> None:
        """Stop at a label that is no class before a loss fails on it.

        Args:
            data_samples: The batch's annotations, as the losses see them.
            num_classes: Channels of the student's logits; a single one tells
                two classes apart.

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
        # One answer for the whole batch: a device is waited for once.
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
        """Which labels beside the classes are allowed."""
        return ''

    def _file(self, sample: BaseDataElement) -> str:
        """What labels are called by."""
        return _image(sample)


class ImageTask(Task):
    """Image classification with MMPretrain: logits ``(N, K)``.

    Args:
        exclusive: See :class:`Task`.
        several_labels: Whether an image has any number of classes.
        num_classes: Width of the head; needed for several labels.
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
        """It does wherever an image has one class."""
        return not self.several_labels

    @property
    def one_class_each(self) -> bool:
        """Where the head takes several labels it is not."""
        return not self.several_labels

    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predicted class of one image."""
        return data_sample.pred_label

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Labels ``(N,)``, scores ``(N, K)``, and indices.

        Scores are those of the samples, soft for mixed images, or 1 for each
        label where the head takes several. A label is then the first of them.

        Raises:
            ValueError: See :meth:`check_targets`.
        """
        self.check_targets(data_samples)
        for sample in data_samples:
            if 'gt_score' not in sample and 'gt_label' not in sample:
                raise ValueError(
                    f'{_image(sample)} has neither a single gt_label nor gt_score: '
                    'the data pipeline must end in PackInputs with labels.'
                )
        scores = None
        if 'gt_score' in data_samples[0]:
            scores = torch.stack([sample.gt_score.float() for sample in data_samples])
        elif self.several_labels:
            scores = torch.stack([self._scores_of(s.gt_label) for s in data_samples])
        if scores is None or all(_count(sample) == 1 for sample in data_samples):
            labels = torch.cat([sample.gt_label for sample in data_samples])
        else:
            labels = scores.argmax(1).where(scores.any(1), Targets.ignore_index)
        indices = None
        if 'sample_idx' in data_samples[0]:
            numbers = [sample.sample_idx for sample in data_samples]
            indices = torch.tensor(numbers, device=labels.device)
        return Targets(
            labels, scores, indices=indices, exclusive=self.exclusive
        )

    def check_targets(
        self,
        data_samples: Sequence[BaseDataElement],
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Stop at a sample with another kind of target than the head takes.

        Raises:
            ValueError: If only some of the batch have ``gt_score``, or the head
                takes one class an image and one has more or none; the message
                names the image.
        """
        scored = 'gt_score' in data_samples[0]
        for sample in data_samples:
            if ('gt_score' in sample) != scored:
                raise ValueError(
                    f'{_image(sample)} has {"no " * scored}gt_score, other than '
                    f'{_image(data_samples[0])} in its batch: give all images of the '
                    'data set one kind of target.'
                )
            several = 'gt_label' in sample and sample.gt_label.numel() != 1
            if several and not scored and not self.several_labels:
                raise ValueError(
                    f'{_image(sample)} has the labels {sample.gt_label.tolist()}, and '
                    "the student's head takes one class an image: give it one, or use "
                    'a head for several, such as MultiLabelLinearClsHead.'
                )

    def _scores_of(self, labels: Tensor) -> Tensor:
        """1 for each of the labels, ``(K,)``."""
        zeros = torch.zeros(self.num_classes, device=labels.device)
        return zeros.index_fill(0, labels.long(), 1)

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Logits of images have no map: they are returned as they are."""
        return logits

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class index or indices of one image."""
        return data_sample.get('gt_label', torch.empty(0))

    def is_ignored(self, labels: Tensor) -> Tensor:
        """No label of an image is ignored."""
        return torch.zeros_like(labels, dtype=torch.bool)


class PixelTask(Task):
    """Semantic segmentation with MMSegmentation: logits ``(N, K, H, W)``.

    Args:
        align_corners: How the student's head resizes maps.
        ignore_index: The label of pixels without a class.
        exclusive: See :class:`Task`.
        num_classes: How many classes labels may have, None if unknown.
    """

    spatial_dims = 2

    def __init__(
        self,
        align_corners: bool,
        ignore_index: int,
        exclusive: bool = True,
        num_classes: int | None = None,
    ) -> None:
        super().__init__(exclusive)
        self.align_corners = align_corners
        self.ignore_index = ignore_index
        self.num_classes = num_classes

    def check_targets(
        self,
        data_samples: Sequence[BaseDataElement],
        inputs: Sequence[Tensor] | None = None,
    ) -> None:
        """Stop at labels that are no map of one label a pixel.

        Raises:
            ValueError: If labels have channels, or another size than their image;
                the message names their file.
        """
        for number, sample in enumerate(data_samples):
            shape = tuple(self.labels_of(sample).shape)
            if len(shape) != 3 or shape[0] != 1:
                raise ValueError(
                    f'the labels of {self._file(sample)} have the shape {shape}, not '
                    '(1, H, W), one label a pixel: is it a picture of colours? Save '
                    'the class indices as an image of one channel.'
                )
            if inputs is not None and shape[1:] != tuple(inputs[number].shape[-2:]):
                raise ValueError(
                    f'the labels of {self._file(sample)} have the size {shape[1:]}, '
                    f'its image {tuple(inputs[number].shape[-2:])} (H, W): labels and '
                    'images must lie on each other.'
                )

    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predicted label map ``(1, H, W)`` of one image."""
        return data_sample.pred_sem_seg.data

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Label maps ``(N, H, W)``."""
        labels = [self.labels_of(sample) for sample in data_samples]
        return Targets(
            torch.cat(labels).long(),
            ignore_index=self.ignore_index,
            exclusive=self.exclusive,
            align_corners=self.align_corners,
            num_classes=self.num_classes,
        )

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Bilinear, with the ``align_corners`` of the student's head."""
        if tuple(logits.shape[2:]) == tuple(size):
            return logits
        return F.interpolate(
            logits, tuple(size), mode='bilinear', align_corners=self.align_corners
        )

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The label map ``(1, H, W)`` of one image, empty where it has none."""
        if 'gt_sem_seg' not in data_sample:
            return torch.empty(0)
        return data_sample.gt_sem_seg.data

    def is_ignored(self, labels: Tensor) -> Tensor:
        """The head's ``ignore_index``, which padding has too."""
        return labels == self.ignore_index

    def _file(self, sample: BaseDataElement) -> str:
        return sample.get('seg_map_path') or _image(sample)

    def _except(self) -> str:
        return f' and are not its ignore_index, {self.ignore_index}'


def task_of(model: Any) -> Task:
    """Tell a classifier from a segmentor by the head it has.

    Raises:
        TypeError: If the model has neither a ``head`` nor a ``decode_head``.
    """
    head = _main_head(model)
    if head is not None and hasattr(model, 'decode_head'):
        exclusive = is_exclusive(getattr(head, 'loss_decode', None))
        count = class_count(model)
        classes = None if count is None else max(count, 2)
        return PixelTask(head.align_corners, head.ignore_index, exclusive, classes)
    if head is not None:
        several = any(c.__name__ == 'MultiLabelClsHead' for c in type(head).__mro__)
        exclusive = not several and is_exclusive(getattr(head, 'loss_module', None))
        return ImageTask(exclusive, several, _width(head))
    raise TypeError(
        f'{type(model).__name__} has neither a `head` (MMPretrain classifier) '
        'nor a `decode_head` (MMSegmentation segmentor).'
    )


def class_count(model: Any) -> int | None:
    """How many classes a model's head is built for; None where it does not say."""
    return getattr(_main_head(model), 'num_classes', None)


def _main_head(model: Any) -> Any:
    """The head that predicts, the last of cascaded ones."""
    head = getattr(model, 'decode_head', None) or getattr(model, 'head', None)
    return head[-1] if isinstance(head, nn.ModuleList) else head


def _width(head: nn.Module) -> int:
    """Channels of a head's last layer."""
    layers = [m for m in head.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]
    return layers[-1].weight.shape[0] if layers else 0


def _image(sample: BaseDataElement) -> str:
    return str(sample.get('img_path') or 'an image without a path')


def _count(sample: BaseDataElement) -> int:
    """How many labels an image has; 0 if it has none."""
    return sample.gt_label.numel() if 'gt_label' in sample else 0


def set_num_classes(model: Any, num_classes: int) -> None:
    """Set the class count wherever a model config has one.

    Beside heads, cascaded and nested ones too, these are smoothed losses,
    preprocessors that mix images, and backbones that end in a classifier.

    Args:
        model: The config of a classifier or segmentor; changed in place.
        num_classes: The number of classes.
    """
    if isinstance(model, dict):
        # Backbones without a classifier say so with 0 or -1.
        if (model.get('num_classes') or 0) > 0:
            model['num_classes'] = num_classes
        model = list(model.values())
    if isinstance(model, (list, tuple)):
        for part in model:
            set_num_classes(part, num_classes)
