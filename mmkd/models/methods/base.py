"""What every distillation method has in common."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.models.discovery import OUTPUT, ModelView
from mmkd.models.taps import Tap
from mmkd.registry import MODELS
from mmkd.structures import Targets


class Method(BaseModule):
    """One distillation technique.

    A method says in ``__init__`` what it taps, by filling
    :attr:`student_taps` and :attr:`teacher_taps`, builds the modules it trains
    as its children, and computes its terms in :meth:`loss`. Parameters and
    buffers of a method are trained, saved and resumed with the student, and
    are no part of the deployed student.

    Args:
        student: The student, with its task, widths and places.
        teacher: The frozen teacher, likewise.
        loss_weight: Multiplies every term of the method.
        task_weight: Multiplies the student's own loss, at least 0.

    Attributes:
        student_taps: What is captured in the student.
        teacher_taps: What is captured in the teacher.
        schedule_factor: Between 0 and 1, set by ``DistillScheduleHook``.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss_weight: float = 1.0,
        task_weight: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (('loss_weight', loss_weight), ('task_weight', task_weight)):
            if not value >= 0:
                raise ValueError(f'{name} must be at least 0, got {value}')
        self.task = student.task
        self.loss_weight = loss_weight
        self._task_weight = task_weight
        self.student_taps: list[Tap] = []
        self.teacher_taps: list[Tap] = []
        self.schedule_factor = 1.0

    @property
    def weight(self) -> float:
        """What multiplies the method's terms now."""
        return self.loss_weight * self.schedule_factor

    @property
    def task_weight(self) -> float:
        """What multiplies the task loss now: 1 while the method is off."""
        return 1 - self.schedule_factor * (1 - self._task_weight)

    def prepare(self, dataset: Any) -> None:
        """Look at the training set before training; most methods need not.

        Args:
            dataset: The training set, of MMEngine's ``BaseDataset`` kind.
        """

    @abstractmethod
    def loss(
        self,
        student: Mapping[Tap, Tensor],
        teacher: Mapping[Tap, Tensor],
        targets: Targets,
    ) -> dict[str, Tensor]:
        """Compute the method's terms, before :attr:`weight`.

        Args:
            student: The values of :attr:`student_taps`, with gradient.
            teacher: The values of :attr:`teacher_taps`, constants.
            targets: What the batch is to be classified as.

        Returns:
            Scalars by name. A name with ``loss`` in it is minimised, others
            are logged alone.
        """


def auxiliary_head(head: dict[str, Any], view: ModelView, tap: Tap) -> nn.Module:
    """Build a head that classifies what a tap captures as the model does.

    Args:
        head: Config of the head.
        view: The model that the tap is in.
        tap: The features that the head reads.
    """
    widths = {
        'in_channels': view.shape(tap)[1],
        'num_classes': view.num_classes,
        'spatial_dims': view.task.spatial_dims,
    }
    return MODELS.build(head, default_args=widths)


class LogitMethod(Method):
    """A method that compares a class prediction with the teacher's.

    Attributes:
        teacher_logits: The tap of what the teacher puts out, ``(N, K, *)``.

    Raises:
        ValueError: If student and teacher classify into different numbers of
            classes.
    """

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        loss_weight: float = 1.0,
        task_weight: float = 1.0,
    ) -> None:
        super().__init__(student, teacher, loss_weight, task_weight)
        if student.num_classes != teacher.num_classes:
            raise ValueError(
                f'{type(self).__name__} compares logits, but the student has '
                f'{student.num_classes} classes and the teacher '
                f'{teacher.num_classes}. Pass a teacher of the same classes.'
            )
        self.teacher_logits = OUTPUT
        self.teacher_taps.append(self.teacher_logits)

    def compared(
        self, logits: Tensor, teacher: Mapping[Tap, Tensor], targets: Targets
    ) -> tuple[Tensor, Tensor, Targets]:
        """Bring teacher logits and targets to the student's map.

        Args:
            logits: The student's prediction ``(N, K, *)``.
            teacher: The teacher's taps.
            targets: The batch's targets, of any size.

        Returns:
            Student logits and teacher logits ``(N, K, *)`` and targets of the
            same map.
        """
        size = logits.shape[2:]
        resized = self.task.resize(teacher[self.teacher_logits], size)
        return logits, resized, targets.resized(size)
