"""The one place that knows whether images or pixels are classified."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.structures import Targets


class Task(ABC):
    """How a model's targets and logit maps are to be read.

    Attributes:
        spatial_dims: Number of spatial dimensions of a logit map: 0 for
            images, 2 for pixels.
    """

    spatial_dims: int

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

    def check_labels(
        self, data_samples: Sequence[BaseDataElement], num_classes: int
    ) -> None:
        """Stop at a label that is no class before it reaches a device.

        Args:
            data_samples: The batch's annotations.
            num_classes: Channels of the student's logits; a single one tells
                two classes apart.

        Raises:
            ValueError: If a label lies outside ``[0, num_classes)`` and is not
                the ignored one; the message names it and the image.
        """
        count = max(num_classes, 2)
        for sample in data_samples:
            labels = self.labels_of(sample)
            outside = (labels < 0) | (labels >= count)
            outside &= ~self.is_ignored(labels)
            if not outside.any():
                continue
            wrong = labels[outside].unique().tolist()
            image = getattr(sample, 'img_path', 'an image without a path')
            raise ValueError(
                f'labels {wrong[:5]} of {image} lie outside the {count} classes '
                f'of the student (0 to {count - 1}): set num_classes to the '
                'number of classes in the data, or map or ignore these labels.'
            )


class ImageTask(Task):
    """Image classification with MMPretrain: logits ``(N, K)``."""

    spatial_dims = 0

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Labels ``(N,)``, soft scores ``(N, K)`` of mixed images, and indices."""
        scores = None
        if 'gt_score' in data_samples[0]:
            scores = torch.stack([sample.gt_score for sample in data_samples])
        if 'gt_label' in data_samples[0] and data_samples[0].gt_label.numel() == 1:
            labels = torch.cat([sample.gt_label for sample in data_samples])
        elif scores is not None:
            labels = scores.argmax(1)
        else:
            raise ValueError(
                'the data samples have neither a single gt_label nor gt_score: '
                'the data pipeline must end in PackInputs with labels.'
            )
        indices = None
        if 'sample_idx' in data_samples[0]:
            numbers = [sample.sample_idx for sample in data_samples]
            indices = torch.tensor(numbers, device=labels.device)
        return Targets(labels, scores, indices=indices)

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
    """

    spatial_dims = 2

    def __init__(self, align_corners: bool, ignore_index: int) -> None:
        self.align_corners = align_corners
        self.ignore_index = ignore_index

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Label maps ``(N, H, W)``."""
        labels = [self.labels_of(sample) for sample in data_samples]
        return Targets(
            torch.cat(labels).long(), ignore_index=self.ignore_index
        )

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Bilinear, with the ``align_corners`` of the student's head."""
        if tuple(logits.shape[2:]) == tuple(size):
            return logits
        return F.interpolate(
            logits, tuple(size), mode='bilinear', align_corners=self.align_corners
        )

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The label map ``(1, H, W)`` of one image."""
        return data_sample.gt_sem_seg.data

    def is_ignored(self, labels: Tensor) -> Tensor:
        """The head's ``ignore_index``, which padding has too."""
        return labels == self.ignore_index


def task_of(model: Any) -> Task:
    """Tell a classifier from a segmentor by the head it has.

    Raises:
        TypeError: If the model has neither a ``head`` nor a ``decode_head``.
    """
    if hasattr(model, 'decode_head'):
        head: Any = model.decode_head
        if isinstance(head, nn.ModuleList):
            head = head[-1]
        return PixelTask(head.align_corners, head.ignore_index)
    if getattr(model, 'head', None) is not None:
        return ImageTask()
    raise TypeError(
        f'{type(model).__name__} has neither a `head` (MMPretrain classifier) '
        'nor a `decode_head` (MMSegmentation segmentor).'
    )


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
