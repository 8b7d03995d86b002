"""Correlation congruence."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.adapters import pooled
from mmkd.models.discovery import ModelView
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.limits import at_least, images_only
from mmkd.models.taps import Tap
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class CC(FeatureMethod):
    """Bring the difference to the teacher in line for neighbours in the batch.

    Both pooled features are embedded linearly in one space. Images only.

    Source: Peng et al., "Correlation Congruence for Knowledge Distillation"
    (https://arxiv.org/abs/1904.01802), in the form of
    https://github.com/HobbitLong/RepDistiller, where both embeddings learn.

    Args:
        student: The student.
        teacher: The teacher, of any width.
        channels: Width of the embeddings.
        loss: Config of the loss between the two embeddings, which depends on
            their difference alone.
        loss_weight: Weight of the loss.
        **kwargs: ``stage`` and ``teacher_stage``, see ``FeatureMethod``; the main
            classifier's input is compared without them.

    Raises:
        ValueError: If the student classifies pixels, a stage does not exist or
            a value is out of range.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        channels: int = 128,
        loss: dict[str, Any] = {'type': 'CorrelationCongruenceLoss'},  # noqa: B006
        loss_weight: float = 0.02,
        **kwargs: int | str | None,
    ) -> None:
        images_only(
            student,
            'CC relates the images of a batch, which pixels are not. Use IFVD or '
            'SKD per pixel.',
        )
        at_least(1, channels=channels)
        super().__init__(student, teacher, loss, loss_weight, **kwargs)
        self.student_embedding = nn.Linear(
            student.shape(self.student_tap)[1], channels
        )
        self.teacher_embedding = nn.Linear(
            teacher.shape(self.teacher_tap)[1], channels
        )

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The correlation congruence loss, a scalar."""
        embedded = self.student_embedding(pooled(student[self.student_tap]))
        expected = self.teacher_embedding(pooled(teacher[self.teacher_tap]))
        # The loss takes its second argument as constant, and both embeddings
        # are to learn: hand their difference in as the first.
        difference = embedded - expected
        return {'loss': self.loss_fn(difference, torch.zeros_like(difference))}
