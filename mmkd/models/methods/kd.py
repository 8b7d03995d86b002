"""The original knowledge distillation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.base import LogitMethod
from mmkd.models.taps import Tap
from mmkd.registry import METHODS, MODELS
from mmkd.structures import Targets


@METHODS.register_module()
class LogitsKD(LogitMethod):
    """Teach the teacher's softened class probabilities to the main classifier.

    ``L = (1 - alpha) * L_task + alpha * tau^2 * KL(teacher || student)``

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural
    Network"; the defaults are those of Multi-Head KD's section 4.1.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        alpha: The teacher's share of the loss, between 0 and 1.
        loss: Config of the loss between the two logit maps.

    Raises:
        ValueError: If the class counts differ or ``alpha`` is out of range.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        alpha: float = 0.9,
        loss: dict[str, Any] = {'type': 'KLDivergenceLoss', 'tau': 4.0},  # noqa: B006
    ) -> None:
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha must be between 0 and 1, got {alpha}')
        super().__init__(student, teacher, loss_weight=alpha, task_weight=1 - alpha)
        self.loss_fn = MODELS.build(loss)
        self.tap = student.logits
        self.student_taps.append(self.tap)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """``tau^2 * KL(teacher || student)``, a scalar."""
        logits, expected, targets = self.compared(student[self.tap], teacher, targets)
        return {'loss': self.loss_fn(logits, expected, mask=targets.valid)}
