"""Semantic segmentation."""

from collections.abc import Sequence

import torch
from mmengine.structures import BaseDataElement, PixelData
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from mmkd.models.tasks.base import Task, image_of
from mmkd.structures import Targets


class PixelTask(Task):
    """Semantic segmentation with MMSegmentation: logits ``(N, K, H, W)``.

    Args:
        align_corners: How the student's head resizes maps.
        ignore_index: The label of pixels without a class.
        exclusive: See :class:`Task`.
        num_classes: How many classes labels may have; None if unknown.
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
        """Refuse labels that are not a map of one label per pixel.

        Raises:
            ValueError: If labels have channels, or a size other than their image's;
                the message names their file.
        """
        for number, sample in enumerate(data_samples):
            shape = tuple(self.labels_of(sample).shape)
            if len(shape) != 3 or shape[0] != 1:
                raise ValueError(
                    f'the labels of {self._file(sample)} have the shape {shape}, not '
                    '(1, H, W), one label per pixel: is it a colour image? Save '
                    'the class indices as an image with one channel.'
                )
            if inputs is not None and shape[1:] != tuple(inputs[number].shape[-2:]):
                raise ValueError(
                    f'the labels of {self._file(sample)} have the size {shape[1:]}, '
                    f'its image {tuple(inputs[number].shape[-2:])} (H, W): labels and '
                    'images must have the same size.'
                )

    def predictions_of(self, data_sample: BaseDataElement) -> Tensor:
        """The predicted label map ``(1, H, W)`` of one image."""
        return data_sample.pred_sem_seg.data

    def targets(self, data_samples: Sequence[BaseDataElement]) -> Targets:
        """Label maps ``(N, H, W)``, with the padding that validation images have."""
        labels = [self.padded(sample) for sample in data_samples]
        return Targets(
            torch.cat(labels).long(),
            ignore_index=self.ignore_index,
            exclusive=self.exclusive,
            align_corners=self.align_corners,
            num_classes=self.num_classes,
        )

    def blank(self, size: Sequence[int]) -> BaseDataElement:
        """The annotations of an image whose pixels are all of the first class."""
        labels = PixelData(data=torch.zeros(1, *size, dtype=torch.long))
        shape = tuple(size)
        metainfo = dict(img_shape=shape, ori_shape=shape, pad_shape=shape)
        return BaseDataElement(metainfo=metainfo, gt_sem_seg=labels)

    def resize(self, logits: Tensor, size: Sequence[int]) -> Tensor:
        """Bilinear, with the ``align_corners`` of the student's head."""
        if tuple(logits.shape[2:]) == tuple(size):
            return logits
        return F.interpolate(
            logits, tuple(size), mode='bilinear', align_corners=self.align_corners
        )

    def labels_of(self, data_sample: BaseDataElement) -> Tensor:
        """The label map ``(1, H, W)`` of one image, empty if it has none."""
        if 'gt_sem_seg' not in data_sample:
            return torch.empty(0)
        return data_sample.gt_sem_seg.data

    def padded(self, data_sample: BaseDataElement) -> Tensor:
        """The label map ``(1, H, W)`` of one image, padded as its image is.

        MMSegmentation's preprocessor pads validation images (``test_cfg``), but not
        their labels, which may have another size.
        """
        labels = self.labels_of(data_sample)
        sides = data_sample.get('img_padding_size')
        if not labels.numel() or not sides or not any(sides):
            return labels
        left, right, top, bottom = sides
        height, width = data_sample.pad_shape
        tall = labels.shape[1] / (height - top - bottom)
        wide = labels.shape[2] / (width - left - right)
        scaled = left * wide, right * wide, top * tall, bottom * tall
        return F.pad(labels, [*map(round, scaled)], value=self.ignore_index)

    def is_ignored(self, labels: Tensor) -> Tensor:
        """Labels equal to the head's ``ignore_index``, which padding has too."""
        return labels == self.ignore_index

    def _file(self, sample: BaseDataElement) -> str:
        return sample.get('seg_map_path') or image_of(sample)

    def _except(self) -> str:
        return f' and are not its ignore_index, {self.ignore_index}'
