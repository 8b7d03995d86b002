"""Channel-wise knowledge distillation."""

from typing import Any

from mmkd.models.discovery import ModelView
from mmkd.models.methods.classifier import ClassifierMethod
from mmkd.models.methods.limits import pixels_only
from mmkd.registry import METHODS


@METHODS.register_module()
class CWD(ClassifierMethod):
    """Match where in the image the logits of each class are high.

    Pixels only. The task loss keeps its weight.

    Source: Shu et al., "Channel-wise Knowledge Distillation for Dense
    Prediction" (https://arxiv.org/abs/2011.13256), on logits. As everywhere in
    mmkd the ignored pixels do not count; in the published code they do.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        loss: Config of the loss.
        loss_weight: Weight of the loss; 3 to 5 are usual.

    Raises:
        ValueError: If the student classifies images, the class counts differ
            or the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] = {'type': 'ChannelWiseDivergenceLoss'},  # noqa: B006
        loss_weight: float = 3.0,
    ) -> None:
        pixels_only(
            student,
            'CWD compares where in a map a class is seen, and logits of images have '
            'no map. Use LogitsKD, DKD or DIST for images.',
        )
        super().__init__(student, teacher, loss, loss_weight)
