"""The base class of methods that compare one feature."""

from typing import Any, ClassVar

from torch import Tensor

from mmkd.models.adapters import pooled
from mmkd.models.discovery import ModelView, Stage
from mmkd.models.methods.base import Method
from mmkd.models.taps import Tap, Taps
from mmkd.registry import MODELS


class FeatureMethod(Method):
    """A method that compares one feature with the teacher's.

    Args:
        student: The student.
        teacher: The teacher; widths may differ.
        loss: Config of the loss; None for the class's default.
        stage: Which feature: the end of a stage, by its number from 0 or its
            module path; None for the main classifier's input.
        teacher_stage: The teacher's, if it differs from ``stage``.
        **kwargs: Weight and schedule, see :class:`Method`.

    Attributes:
        loss_fn: The loss.
        student_tap: The student's feature.
        teacher_tap: The teacher's feature.
        student_width: Channels of the student's feature.
        teacher_width: Channels of the teacher's feature.

    Raises:
        ValueError: If a stage does not exist or a value is out of range.
    """

    default_loss: ClassVar[dict[str, Any]]

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] | None = None,
        stage: Stage | None = None,
        teacher_stage: Stage | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(student, teacher, **kwargs)
        self.loss_fn = MODELS.build(loss or self.default_loss)
        self.student_tap = _place(student, stage)
        self.teacher_tap = _place(
            teacher, stage if teacher_stage is None else teacher_stage
        )
        for view, tap in ((student, self.student_tap), (teacher, self.teacher_tap)):
            if self.only_for == 'pixels' or len(view.shape(tap)) != 2:
                map_shape(view, tap)
        self.student_width = student.shape(self.student_tap)[1]
        self.teacher_width = teacher.shape(self.teacher_tap)[1]
        self.taps_in_student = [self.student_tap]
        self.taps_in_teacher = [self.teacher_tap]

    def maps(self, student_taps: Taps, teacher_taps: Taps) -> tuple[Tensor, Tensor]:
        """Both features, the teacher's resized to the student's map.

        Returns:
            ``(N, C, H, W)`` and ``(N, D, H, W)``.
        """
        feature = student_taps[self.student_tap]
        expected = teacher_taps[self.teacher_tap]
        return feature, self.task.resize(expected, feature.shape[2:])

    def vectors(self, student_taps: Taps, teacher_taps: Taps) -> tuple[Tensor, Tensor]:
        """Both features averaged over their maps.

        Returns:
            ``(N, C)`` and ``(N, D)``.
        """
        feature = student_taps[self.student_tap]
        return pooled(feature), pooled(teacher_taps[self.teacher_tap])


def _place(view: ModelView, stage: Stage | None) -> Tap:
    return view.feature if stage is None else view.stage(stage)


def map_shape(view: ModelView, tap: Tap) -> tuple[int, int, int, int]:
    """Shape of a tap's feature map for one blank image.

    Raises:
        ValueError: If it is not a map.
    """
    shape = tuple(view.shape(tap))
    if len(shape) != 4:
        raise ValueError(
            f'{tap.path!r} of {type(view.model).__name__} outputs {shape}, but a '
            'feature map (N, C, H, W) is needed. Choose another stage of the '
            f'{view.role}.'
        )
    return shape
