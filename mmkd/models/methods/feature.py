"""What methods that compare one feature have in common."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.base import Method
from mmkd.models.taps import Tap
from mmkd.registry import MODELS


class FeatureMethod(Method):
    """A method that compares one feature with the teacher's.

    Args:
        student: The student.
        teacher: The teacher; widths may differ.
        loss: Config of the loss.
        loss_weight: Multiplies every term of the method.
        stage: Which feature: the end of a stage, by its number from 0 or its
            module path; None for the main classifier's input.
        teacher_stage: The teacher's, where it is other than ``stage``.

    Attributes:
        loss_fn: The loss.
        student_tap: What is compared of the student.
        teacher_tap: What is compared of the teacher.

    Raises:
        ValueError: If a stage does not exist or the weight is negative.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any],
        loss_weight: float = 1.0,
        stage: int | str | None = None,
        teacher_stage: int | str | None = None,
    ) -> None:
        super().__init__(student, teacher, loss_weight)
        self.loss_fn = MODELS.build(loss)
        self.student_tap = _place(student, stage)
        self.teacher_tap = _place(
            teacher, stage if teacher_stage is None else teacher_stage
        )
        self.student_taps.append(self.student_tap)
        self.teacher_taps.append(self.teacher_tap)

    def maps(
        self, student: Mapping[Tap, Tensor], teacher: Mapping[Tap, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Both features, the teacher's on the student's map.

        Args:
            student: The student's taps.
            teacher: The teacher's taps.

        Returns:
            ``(N, C, H, W)`` and ``(N, D, H, W)``.
        """
        feature = student[self.student_tap]
        expected = teacher[self.teacher_tap]
        return feature, self.task.resize(expected, feature.shape[2:])


def _place(view: ModelView, stage: int | str | None) -> Tap:
    return view.feature if stage is None else view.stage(stage)
