"""Relational knowledge distillation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.adapters import pooled
from mmkd.models.discovery import ModelView
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.limits import images_only
from mmkd.models.taps import Tap
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class RKD(FeatureMethod):
    """Match the distances and angles among the pooled features of a batch.

    Images only. It has no parameters, and widths may differ.

    Source: Park et al., "Relational Knowledge Distillation"
    (https://arxiv.org/abs/1904.05068), on the features and with the weights of
    https://github.com/HobbitLong/RepDistiller.

    Args:
        student: The student.
        teacher: The teacher.
        loss: Config of the loss, with the weights of distances and angles.
        loss_weight: Weight of the loss.
        **kwargs: ``stage`` and ``teacher_stage``, see ``FeatureMethod``; the main
            classifier's input is compared without them.

    Raises:
        ValueError: If the student classifies pixels, a stage does not exist or
            the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] = {'type': 'RKDLoss'},  # noqa: B006
        loss_weight: float = 1.0,
        **kwargs: int | str | None,
    ) -> None:
        images_only(
            student,
            'RKD relates the images of a batch, which pixels are not. Use SKD '
            '(within an image) or CIRKD (across images) per pixel.',
        )
        super().__init__(student, teacher, loss, loss_weight, **kwargs)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The distance and the angle loss together, a scalar."""
        features = pooled(student[self.student_tap])
        return {'loss': self.loss_fn(features, pooled(teacher[self.teacher_tap]))}
