"""What methods that compare class predictions have in common."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.methods.base import Method
from mmkd.models.taps import Tap
from mmkd.registry import MODELS
from mmkd.structures import Targets


class LogitMethod(Method):
    """A method that compares a class prediction with the teacher's.

    Of itself it compares the main classifiers; a subclass may put another
    prediction of the student in the place of :meth:`prediction`.

    Args:
        student: The student.
        teacher: The teacher, of the same number of classes.
        loss: Config of the loss between the two logit maps; None for the
            class's own, and what is not named in it stays the loss's default.
        **kwargs: Weight and schedule, see :class:`Method`.

    Attributes:
        loss_fn: The loss.
        student_tap: What the prediction is made of.

    Raises:
        ValueError: If student and teacher classify into different numbers of
            classes, or a value is out of range.
    """

    default_loss: ClassVar[dict[str, Any]]

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(student, teacher, **kwargs)
        same_classes(self, student, teacher)
        self.loss_fn = MODELS.build(loss or self.default_loss)
        self.student_tap = student.logits
        self.taps_in_student = [self.student_tap]
        self.taps_in_teacher = [OUTPUT]

    def prediction(self, student_taps: Mapping[Tap, Tensor]) -> Tensor:
        """The student's logits that are compared, ``(N, K, *)``."""
        return student_taps[self.student_tap]

    def compared(
        self,
        student_taps: Mapping[Tap, Tensor],
        teacher_taps: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> tuple[Tensor, Tensor, Targets]:
        """Prediction, teacher's logits and targets on the prediction's map.

        Returns:
            Two logit maps ``(N, K, *)`` and the targets of their size.
        """
        logits = self.prediction(student_taps)
        size = logits.shape[2:]
        expected = self.task.resize(teacher_taps[OUTPUT], size)
        return logits, expected, targets.resized(size)

    def loss(
        self,
        student_taps: Mapping[Tap, Tensor],
        teacher_taps: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """The loss over the positions that have a class, a scalar.

        Raises:
            ValueError: If the loss needs one class for every image, and images
                are mixed.
        """
        *logits, targets = self.compared(student_taps, teacher_taps, targets)
        if getattr(self.loss_fn, 'needs_labels', False):
            if targets.scores is not None:
                raise ValueError(
                    f'{type(self).__name__} needs one target class for every image: '
                    'leave out mixup and CutMix (batch_augments of the data '
                    'preprocessor), or use LogitsKD.'
                )
            logits.append(targets.labels)
        return {'loss': self.loss_fn(*logits, mask=targets.valid)}


def same_classes(method: Method, student: ModelView, teacher: ModelView) -> None:
    """Refuse two models of different numbers of classes.

    Raises:
        ValueError: If they are.
    """
    if student.num_classes != teacher.num_classes:
        raise ValueError(
            f'{type(method).__name__} compares class predictions, but the student '
            f'has {student.num_classes} classes and the teacher '
            f'{teacher.num_classes}. Pass a teacher of the same classes.'
        )
