"""Dual-Head Knowledge Distillation."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.base import LogitMethod, auxiliary_head
from mmkd.models.taps import Tap
from mmkd.registry import METHODS, MODELS
from mmkd.structures import Targets


@METHODS.register_module()
class DualHead(LogitMethod):
    """Teach logits to an auxiliary head and labels to the main classifier.

    The auxiliary head reads the main classifier's input and gets the
    logit-level loss alone; the main classifier keeps the task loss alone, and
    is what is deployed::

        L = task_weight * L_task(main) + loss_weight * L_logit(aux, teacher)

    Source: Yang et al., "Dual-Head Knowledge Distillation: Enhancing Logits
    Utilization with an Auxiliary Head", where ``task_weight`` is gamma and
    ``loss_weight`` alpha.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        head: Config of the auxiliary head: ``LinearClassifier``, or
            ``MLPClassifier`` for architectures that are very unlike. None puts
            the logit-level loss on the main classifier: the setting that the
            paper shows to collapse.
        loss: Config of the logit-level loss: ``BinaryKLNormLoss`` or
            ``BinaryKLLoss``.
        loss_weight: The paper's alpha.
        task_weight: The paper's gamma.

    Raises:
        ValueError: If the class counts differ or a weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        head: dict[str, Any] | None = {'type': 'LinearClassifier'},  # noqa: B006
        loss: dict[str, Any] = {'type': 'BinaryKLNormLoss'},  # noqa: B006
        loss_weight: float = 1.0,
        task_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher, loss_weight, task_weight)
        self.loss_fn = MODELS.build(loss)
        self.head = None
        self.tap = student.logits
        if head is not None:
            self.tap = student.feature
            self.head = auxiliary_head(head, student, self.tap)
        self.student_taps.append(self.tap)

    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The logit-level loss of the auxiliary head, a scalar."""
        logits = student[self.tap]
        if self.head is not None:
            logits = self.head(logits)
        logits, expected, targets = self.compared(logits, teacher, targets)
        return {'loss': self.loss_fn(logits, expected, mask=targets.valid)}
