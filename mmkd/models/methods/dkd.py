"""Decoupled knowledge distillation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.classifier import ClassifierMethod
from mmkd.models.taps import Tap
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class DKD(ClassifierMethod):
    """Weigh the target and the non-target part of the KD loss apart.

    Images and pixels. The task loss keeps its weight.

    Source: Zhao et al., "Decoupled Knowledge Distillation"
    (https://arxiv.org/abs/2203.08679), with the settings of
    https://github.com/megvii-research/mdistiller, whose warm-up over 20 epochs
    is ``DistillScheduleHook``'s.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        loss: Config of the loss, with the weights of the two parts.
        loss_weight: Weight of the loss.

    Raises:
        ValueError: If the class counts differ or the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] = {'type': 'DKDLoss'},  # noqa: B006
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher, loss, loss_weight)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """Both parts together, a scalar.

        Raises:
            ValueError: If images are mixed, which have no single target class.
        """
        if targets.scores is not None:
            raise ValueError(
                'DKD needs one target class for every image: leave out mixup and '
                'CutMix (batch_augments of the data preprocessor), or use LogitsKD.'
            )
        logits, expected, targets = self.compared(student[self.tap], teacher, targets)
        loss = self.loss_fn(logits, expected, targets.labels, mask=targets.valid)
        return {'loss': loss}
