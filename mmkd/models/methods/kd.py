"""The original knowledge distillation."""

from typing import Any

from mmkd.models.discovery import ModelView
from mmkd.models.methods.classifier import ClassifierMethod
from mmkd.registry import METHODS


@METHODS.register_module()
class LogitsKD(ClassifierMethod):
    """Teach the teacher's softened class probabilities to the main classifier.

    ``L = (1 - alpha) * L_task + alpha * tau^2 * KL(teacher || student)``

    Source: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural
    Network"; the defaults are those of Multi-Head KD's section 4.1.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        alpha: The teacher's share of the loss, between 0 and 1.
        loss: Config of the loss between the two logit maps.
        task_weight: Weight of the task loss; ``1 - alpha`` if None. With
            ``alpha=1, task_weight=1`` both count in full, as where published
            code adds KD to another method.

    Raises:
        ValueError: If the class counts differ or a weight is out of range.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        alpha: float = 0.9,
        loss: dict[str, Any] = {'type': 'KLDivergenceLoss', 'tau': 4.0},  # noqa: B006
        task_weight: float | None = None,
    ) -> None:
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha must be between 0 and 1, got {alpha}')
        if task_weight is None:
            task_weight = 1 - alpha
        super().__init__(student, teacher, loss, alpha, task_weight)
