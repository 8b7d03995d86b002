"""The base class of methods that compare class predictions."""

import logging
from typing import Any, ClassVar

from mmengine.logging import print_log
from torch import Tensor, nn

from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.methods.base import Method
from mmkd.models.taps import Taps
from mmkd.registry import MODELS
from mmkd.structures import Targets


class LogitMethod(Method):
    """A method that compares a class prediction with the teacher's.

    By default it compares the main classifiers; a subclass may override
    :meth:`prediction` to use another prediction of the student.

    Args:
        student: The student.
        teacher: The teacher, with the same number of classes.
        loss: Config of the loss between the two logit maps; None for the
            class's default. Options it omits keep the loss's defaults.
        **kwargs: Weight and schedule, see :class:`Method`.

    Attributes:
        loss_fn: The loss.
        student_tap: What the prediction is computed from.

    Raises:
        ValueError: If student and teacher have different numbers of classes, the
            loss takes a softmax over classes that are not mutually exclusive, or
            a value is out of range.
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
        self.loss_fn = MODELS.build(loss or self.default_loss)
        check_classes(self, self.loss_fn, student, teacher)
        self.student_tap = student.logits
        self.taps_in_student = [self.student_tap]
        self.taps_in_teacher = [OUTPUT]

    def prediction(self, student_taps: Taps) -> Tensor:
        """The student's logits that are compared, ``(N, K, *)``."""
        return student_taps[self.student_tap]

    def compared(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> tuple[Tensor, Tensor, Targets]:
        """Return prediction, teacher logits and targets at the prediction's size.

        Returns:
            Two logit maps ``(N, K, *)`` and the targets at their size.
        """
        logits = self.prediction(student_taps)
        size = logits.shape[2:]
        expected = self.task.resize(teacher_taps[OUTPUT], size)
        return logits, expected, targets.resized(size)

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The loss over the positions that have a class, a scalar.

        Raises:
            ValueError: If the loss needs one class per image, but images are
                mixed.
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


def check_classes(
    method: Method, loss: nn.Module, student: ModelView, teacher: ModelView
) -> None:
    """Reject a loss that is meaningless between the classes of two models.

    Args:
        method: The method.
        loss: Its loss between two class predictions.
        student: The student.
        teacher: The teacher.

    Raises:
        ValueError: If they have different numbers of classes, or the loss takes a
            softmax over classes that are not mutually exclusive. If the teacher's
            class names are known, different numbers raise only when the names are
            compared with the training set's, or the teacher runs.
    """
    name, counts = type(method).__name__, [student.num_classes, teacher.num_classes]
    competing = getattr(loss, 'competing', False)
    if competing:
        counts = [max(count, 2) for count in counts]
    if counts[0] != counts[1]:
        said = (
            f'{name} compares class predictions, but the student has {counts[0]} '
            f'classes and the teacher {counts[1]}. Pass a teacher with the same '
            "classes or, if it has all of the student's, teacher=dict(classes=[...]) "
            'with their names in its checkpoint or the numbers of its channels.'
        )
        if teacher.class_names is None or not isinstance(method, LogitMethod):
            raise ValueError(said)
        # A hook compares them with the training set's and reports which are missing.
        teacher.refused = said
    if not competing:
        return
    for side, view in (('student', student), ('teacher', teacher)):
        if view.task.exclusive or view.num_classes == 1:
            continue
        said = (
            f'{name} takes a softmax over the classes ({type(loss).__name__}), but the '
            f'{side} {type(view.model).__name__} is trained with one sigmoid per class'
        )
        if side == 'student' or not view.task.predicts_softmax:
            raise ValueError(
                f"{said}. Use DualHead, or set loss=dict(type='BinaryKLLoss'): both "
                'compare class by class.'
            )
        print_log(f'{said}.', logger='current', level=logging.WARNING)
    lost = getattr(loss, 'constant_for_two', '')
    if counts[0] == 2 and lost:
        print_log(
            f'{name}: with two classes, {lost} is constant and teaches nothing.',
            logger='current',
        )
