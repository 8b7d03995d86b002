"""Structured knowledge distillation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.limits import pixels_only
from mmkd.models.taps import Tap
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class SKD(FeatureMethod):
    """Match how alike the regions of an image are: the pair-wise distillation.

    Pixels only. It has no parameters, and widths may differ. The paper's
    pixel-wise distillation is ``LogitsKD``; its adversarial part is not here.

    Source: Liu et al., "Structured Knowledge Distillation for Dense
    Prediction" (https://arxiv.org/abs/1903.04197), section 3.1.2.

    Args:
        student: The student.
        teacher: The teacher.
        loss: Config of the loss, with the size of a region.
        loss_weight: Weight of the loss: 1 in
            https://github.com/irfanICMLL/structure_knowledge_distillation, 10
            with smaller regions in https://github.com/winycg/CIRKD.
        **kwargs: ``stage`` and ``teacher_stage``, see ``FeatureMethod``; the main
            classifier's input is compared without them.

    Raises:
        ValueError: If the student classifies images, a stage does not exist or
            the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] = {'type': 'PairwiseAffinityLoss'},  # noqa: B006
        loss_weight: float = 1.0,
        **kwargs: int | str | None,
    ) -> None:
        pixels_only(
            student,
            'SKD compares the regions of an image. Use RKD, which compares the '
            'images of a batch, for images.',
        )
        super().__init__(student, teacher, loss, loss_weight, **kwargs)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The pair-wise loss, a scalar."""
        return {'loss': self.loss_fn(*self.maps(student, teacher))}
