"""Intra-class feature variation distillation."""

from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class IFVD(FeatureMethod):
    """Match how the features of a class vary around their centre in an image.

    Pixels only. It has no parameters, and widths may differ. The weight is 20
    in https://github.com/winycg/CIRKD, 200 in
    https://github.com/YukangWang/IFVD, which trains PSPNets.

    Source: Wang et al., "Intra-class Feature Variation Distillation for
    Semantic Segmentation" (ECCV 2020).
    """

    weight = 20.0
    default_loss = {'type': 'IFVDLoss'}  # noqa: RUF012
    only_for = 'pixels'
    instead = (
        'IFVD compares the pixels of a class within an image. Use CC, which '
        'compares the images of a batch, for images.'
    )

    def __init__(self, student: ModelView, teacher: ModelView, **kwargs: Any) -> None:
        super().__init__(student, teacher, **kwargs)
        self.classes = student.class_count

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The feature variation loss over the pixels that count, a scalar."""
        feature, expected = self.maps(student_taps, teacher_taps)
        targets = targets.resized(feature.shape[2:])
        loss = self.loss_fn(
            feature, expected, targets.labels, self.classes, mask=targets.valid
        )
        return {'loss': loss}
