"""Distillation from a stronger teacher."""

from typing import Any

from mmkd.models.discovery import ModelView
from mmkd.models.methods.classifier import ClassifierMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class DIST(ClassifierMethod):
    """Match how class probabilities correlate, between and within classes.

    Images and pixels. The task loss keeps its weight.

    Source: Huang et al., "Knowledge Distillation from A Stronger Teacher"
    (https://arxiv.org/abs/2205.10536), with the weights of
    https://github.com/hunto/DIST_KD. For segmentation that code compares the
    auxiliary heads too; here the main classifiers are compared.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        loss: Config of the loss, with the weights of the two relations.
        loss_weight: Weight of the loss.

    Raises:
        ValueError: If the class counts differ or the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] = {'type': 'DISTLoss'},  # noqa: B006
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher, loss, loss_weight)
