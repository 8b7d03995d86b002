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
        heads: Keys of a model config under which classifiers stand.
    """

    spatial_dims: int
    heads: tuple[str, ...]

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
    def is_ignored(self, label: int) -> bool:
        """Whether a label marks positions without a class."""

    def check_labels(
        self, data_samples: Sequence[BaseDataElement], num_classes: int
    ) -> None:
        """Stop at a label that is no class before it reaches a device.

        Raises:
            ValueError: If a label lies outside ``[0, num_classes)`` and is not
                the ignored one; the message names it and the image.
        """
        for sample in data_samples:
            labels = self.labels_of(sample)
            if labels.numel() == 0:
                continue
            low, high = (int(bound) for bound in torch.aminmax(labels))
            if 0 <= low and high < num_classes:
                continue
            wrong = [
                label
                for label in labels.unique().tolist()
                if not (0 <= label < num_classes or self.is_ignored(label))
            ]
            if wrong:
                image = getattr(sample, 'img_path', 'an image without a path')
                raise ValueError(
                    f'labels {wrong[:5]} of {image} lie outside the '
                    f'{num_classes} classes of the student (0 to '
                    f'{num_classes - 1}): set num_classes to the number of '
                    'classes in the data, or map or ignore these labels.'
                )


class ImageTask(Task):
    """Image classification with MMPretrain: logits ``(N, K)``."""

    spatial_dims = 0
    heads = ('head',)

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Labels ``(N,)``, and soft scores ``(N, K)`` where images are mixed."""
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
        return Targets(labels, scores)

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Logits of images have no map: they are returned as they are."""
        return logits

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The class index or indices of one image."""
        return data_sample.get('gt_label', torch.empty(0))

    def is_ignored(self, label: int) -> bool:
        """No label of an image is ignored."""
        return False


class PixelTask(Task):
    """Semantic segmentation with MMSegmentation: logits ``(N, K, H, W)``.

    Args:
        align_corners: How the student's head resizes maps.
        ignore_index: The label of pixels without a class.
    """

    spatial_dims = 2
    heads = ('decode_head', 'auxiliary_head')

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

    def is_ignored(self, label: int) -> bool:
        """The head's ``ignore_index``, which padding has too."""
        return label == self.ignore_index


def task_of(model: nn.Module) -> Task:
    """Tell a classifier from a segmentor by the head it has.

    Raises:
        TypeError: If the model has neither a ``head`` nor a ``decode_head``.
    """
    if hasattr(model, 'decode_head'):
        heads = model.decode_head
        head = heads[-1] if isinstance(heads, nn.ModuleList) else heads
        return PixelTask(head.align_corners, head.ignore_index)
    if getattr(model, 'head', None) is not None:
        return ImageTask()
    raise TypeError(
        f'{type(model).__name__} has neither a `head` (MMPretrain classifier) '
        'nor a `decode_head` (MMSegmentation segmentor).'
    )


def set_num_classes(model: dict[str, Any], num_classes: int) -> None:
    """Give every classifier of a model config another number of classes.

    Args:
        model: The config of a classifier or segmentor; changed in place.
        num_classes: The number of classes.
    """
    for key in (*ImageTask.heads, *PixelTask.heads):
        heads = model.get(key) or []
        for head in [heads] if isinstance(heads, dict) else heads:
            if 'num_classes' in head:
                head['num_classes'] = num_classes
