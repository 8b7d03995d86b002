"""Cross-image relational knowledge distillation."""

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mmkd.models.adapters import Projector
from mmkd.models.discovery import ModelView
from mmkd.models.group_means import class_groups, group_means
from mmkd.models.losses.inputs import widen
from mmkd.models.memories import ClassQueue
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.values import at_least
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class CIRKD(FeatureMethod):
    """Match how pixels resemble the pixels and regions of other images.

    Pixels only. They are compared with the images of the process's batch, and
    with queues of the teacher's pixels and regions from recent batches of all
    processes. A region is the mean of the pixels of one class in one image. A
    projector maps the student's features to the teacher's width for the queues.

    The queues hold ``K * (pixel_memory + region_memory)`` embeddings of the
    teacher's width, also in checkpoints: 850 MB for 19 classes and 512
    channels.

    Source: Yang et al., "Cross-Image Relational Knowledge Distillation for
    Semantic Segmentation" (https://arxiv.org/abs/2204.06986), with the
    settings of https://github.com/winycg/CIRKD. Its KD on logits is
    ``LogitsKD``. That code stores random pixels of the whole image for each
    class; here they are pixels of that class, as in the paper.

    Args:
        student: The student.
        teacher: The teacher, of any width, with the same number of classes.
        pixel_memory: Pixels to store per class; 0 disables that part.
        region_memory: Regions to store per class, likewise.
        pixels_per_image: Pixels per class that each image adds.
        pixel_contrast: Stored pixels to compare with, over all classes.
        region_contrast: Stored regions to compare with, over all classes.
        **kwargs: See :class:`FeatureMethod`; the weights of the parts belong to
            the loss.

    Raises:
        ValueError: If the student classifies images, a stage does not exist or
            a value is out of range.
    """

    default_loss = {'type': 'CIRKDLoss'}  # noqa: RUF012
    only_for = 'pixels'
    instead = (
        'CIRKD compares pixels and regions. Use CRD, which remembers whole '
        'images, for images.'
    )

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        pixel_memory: int = 20000,
        region_memory: int = 2000,
        pixels_per_image: int = 16,
        pixel_contrast: int = 4096,
        region_contrast: int = 1024,
        **kwargs: Any,
    ) -> None:
        at_least(0, pixel_memory=pixel_memory, region_memory=region_memory)
        at_least(
            1,
            pixels_per_image=pixels_per_image,
            pixel_contrast=pixel_contrast,
            region_contrast=region_contrast,
        )
        super().__init__(student, teacher, **kwargs)
        self.classes = classes = student.class_count
        self.pixels_per_image = pixels_per_image
        self.contrasts = (
            pixel_contrast // classes + 1,
            region_contrast // classes + 1,
        )
        self.pixels, self.regions = (
            ClassQueue(classes, size, self.teacher_width) if size else None
            for size in (pixel_memory, region_memory)
        )
        self.projector = None
        if pixel_memory or region_memory:
            self.projector = Projector(self.student_width, self.teacher_width)

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The sum of all parts, a scalar; the batch is added to the queues first."""
        feature, expected = self.maps(student_taps, teacher_taps)
        targets = targets.resized(feature.shape[2:])
        self._remember(normalize(widen(expected)), targets)
        embedded = None if self.projector is None else self.projector(feature)
        banks = [
            None if queue is None else queue.draw(count)
            for queue, count in zip(
                (self.pixels, self.regions), self.contrasts, strict=True
            )
        ]
        loss = self.loss_fn(
            feature,
            expected,
            embedded=embedded,
            pixel_bank=banks[0],
            region_bank=banks[1],
            mask=targets.valid,
        )
        return {'loss': loss}

    def _remember(self, teacher: Tensor, targets: Targets) -> None:
        rows = teacher.flatten(2).movedim(1, -1)
        if self.pixels is not None:
            labels = targets.labels.where(targets.valid, self.classes)
            self.pixels.push(*self._drawn(rows, labels.flatten(1)))
        if self.regions is not None:
            groups, count = class_groups(targets.labels, targets.valid, self.classes)
            means, sizes = group_means(rows.flatten(0, 1), groups.flatten(), count)
            regions = means.view(len(rows), -1, rows.shape[2])[:, :-1]
            self.regions.push(regions, sizes.view(len(rows), -1)[:, :-1] > 0)

    def _drawn(self, rows: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Draw random pixels of each class and image, and mark those that exist.

        Args:
            rows: The pixels of each image ``(N, P, C)``.
            labels: The class of each pixel, ``(N, P)``.

        Returns:
            ``(N * count, classes, C)`` and bool ``(N * count, classes)``.
        """
        lots = torch.rand(labels.shape, device=labels.device).unsqueeze(1)
        classes = torch.arange(self.classes, device=labels.device).view(-1, 1)
        lots = lots.where(labels.unsqueeze(1) == classes, -1)
        highest = lots.topk(min(self.pixels_per_image, lots.shape[2]))
        image = torch.arange(len(rows), device=rows.device).view(-1, 1, 1)
        drawn = rows[image, highest.indices.mT].flatten(0, 1)
        return drawn, (highest.values.mT >= 0).flatten(0, 1)
