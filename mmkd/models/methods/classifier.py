"""What methods that compare the main classifiers' logits have in common."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.base import LogitMethod
from mmkd.models.taps import Tap
from mmkd.registry import MODELS
from mmkd.structures import Targets


class ClassifierMethod(LogitMethod):
    """A method that compares the main classifier's logits with the teacher's.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        loss: Config of the loss between the two logit maps.
        loss_weight: Multiplies the loss.
        task_weight: Multiplies the student's own loss.

    Attributes:
        loss_fn: The loss.
        tap: Where the student's logits are captured.

    Raises:
        ValueError: If the class counts differ or a weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any],
        loss_weight: float = 1.0,
        task_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher, loss_weight, task_weight)
        self.loss_fn = MODELS.build(loss)
        self.tap = student.logits
        self.student_taps.append(self.tap)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The loss over the positions that have a class, a scalar."""
        logits, expected, targets = self.compared(student[self.tap], teacher, targets)
        return {'loss': self.loss_fn(logits, expected, mask=targets.valid)}
