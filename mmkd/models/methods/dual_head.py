"""Dual-Head Knowledge Distillation."""

from typing import Any

from torch import Tensor

from mmkd.models.discovery import ModelView
from mmkd.models.methods.base import auxiliary_head
from mmkd.models.methods.logit import LogitMethod
from mmkd.models.taps import Taps
from mmkd.registry import METHODS


@METHODS.register_module()
class DualHead(LogitMethod):
    """Teach logits to an auxiliary head and labels to the main classifier.

    The auxiliary head reads the main classifier's input and gets only
    the logit-level loss. The main classifier keeps only the task loss, and is
    the one that is deployed::

        L = task_weight * L_task(main) + weight * L_logit(aux, teacher)

    Source: Yang et al., "Dual-Head Knowledge Distillation: Enhancing Logits
    Utilization with an Auxiliary Head" (https://arxiv.org/abs/2411.08937),
    where the distiller's ``task_weight`` is gamma and ``weight`` alpha.

    Args:
        student: The student.
        teacher: The teacher, with the same number of classes.
        head: Config of the auxiliary head: ``LinearClassifier``, or
            ``MLPClassifier`` for very different architectures; an ``init_cfg``
            replaces PyTorch's default initialisation. None puts the logit-level
            loss on the main classifier: the setting that the paper shows to
            collapse.
        **kwargs: ``loss`` (``BinaryKLNormLoss`` or ``BinaryKLLoss``), weight and
            schedule, see :class:`LogitMethod`.

    Raises:
        ValueError: If the class counts differ or a value is out of range.
    """

    default_loss = {'type': 'BinaryKLNormLoss'}  # noqa: RUF012

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        head: dict[str, Any] | None = {'type': 'LinearClassifier'},  # noqa: B006
        **kwargs: Any,
    ) -> None:
        super().__init__(student, teacher, **kwargs)
        self.head = None
        if head is not None:
            self.student_tap = student.feature
            self.taps_in_student = [self.student_tap]
            self.head = auxiliary_head(head, student, self.student_tap)

    def prediction(self, student_taps: Taps) -> Tensor:
        """The auxiliary head's logits, ``(N, K, *)``."""
        feature = super().prediction(student_taps)
        return feature if self.head is None else self.head(feature)
