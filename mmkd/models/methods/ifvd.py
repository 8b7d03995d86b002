"""Intra-class feature variation distillation."""

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
class IFVD(FeatureMethod):
    """Match how the features of a class vary around their centre in an image.

    Pixels only. It has no parameters, and widths may differ.

    Source: Wang et al., "Intra-class Feature Variation Distillation for
    Semantic Segmentation" (ECCV 2020).

    Args:
        student: The student.
        teacher: The teacher.
        loss: Config of the loss.
        loss_weight: Weight of the loss: 20 in https://github.com/winycg/CIRKD,
            200 in https://github.com/YukangWang/IFVD, where PSPNets are
            trained.
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
        loss: dict[str, Any] = {'type': 'IFVDLoss'},  # noqa: B006
        loss_weight: float = 20.0,
        **kwargs: int | str | None,
    ) -> None:
        pixels_only(
            student,
            'IFVD compares the pixels of a class within an image. Use CC, which '
            'compares the images of a batch, for images.',
        )
        super().__init__(student, teacher, loss, loss_weight, **kwargs)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The feature variation loss over the pixels that count, a scalar."""
        feature, expected = self.maps(student, teacher)
        targets = targets.resized(feature.shape[2:])
        loss = self.loss_fn(feature, expected, targets.labels, mask=targets.valid)
        return {'loss': loss}
