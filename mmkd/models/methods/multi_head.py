"""Multi-Head Knowledge Distillation."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.discovery import ModelView, Stage
from mmkd.models.methods.base import Method, auxiliary_head
from mmkd.models.methods.logit import check_classes
from mmkd.models.taps import Tap, Taps
from mmkd.registry import METHODS, MODELS
from mmkd.structures import Targets


@METHODS.register_module()
class MultiHead(Method):
    """Compare auxiliary classifiers at the ends of student and teacher stages.

    With ``p`` the teacher head's logits, treated as constant, and ``q`` the
    student head's, at each of the chosen stages::

        L_teacher = CE(y, p)
        L_OHKD    = alpha * tau^2 * KL(p || q) + (1 - alpha) * CE(y, q)

    and the method adds ``weight * sum(L_OHKD) + sum(L_teacher)``. The paper's
    whole loss (eq. 2) also has the original KD at the final outputs: add
    ``LogitsKD`` as a second method. The teacher's heads are trained with the
    student, while its backbone stays frozen; no gradient passes from a student
    to a teacher head. Widths, depths and map sizes may differ.

    For pixels, each position of a head's map has the majority label of its
    pixels. If classes are not mutually exclusive, ``loss`` must compare them one
    by one (``BinaryKLLoss``), and CE is binary.

    Source: Wang et al., "Multi-Head Knowledge Distillation for Model
    Compression", equations 1 and 2 and section 4.1. The paper states no weight
    for the cross-entropy of the teacher heads, which share no parameters with
    anything else; it is 1 here. ``weight`` is its beta.

    Args:
        student: The student.
        teacher: The teacher, with the same number of classes.
        stages: The stages that get a head, by number from 0 or by module
            path. ``(1,)`` is the paper's one-head variant after unit 2.
        teacher_stages: The teacher's, if they differ from ``stages``.
        head: Config of the heads.
        loss: Config of the loss between the two heads' logits.
        alpha: The teacher's share of a student head's loss.
        **kwargs: Weight and schedule, see :class:`Method`.

    Raises:
        ValueError: If the class counts differ, no stage is given, one does not
            exist, or a value is out of range.
    """

    weight = 0.5
    own_terms = ('loss_teacher_heads',)

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        stages: Sequence[Stage] = (0, 1, 2),
        teacher_stages: Sequence[Stage] | None = None,
        head: dict[str, Any] = {'type': 'ConvClassifier'},  # noqa: B006
        loss: dict[str, Any] = {'type': 'KLDivergenceLoss', 'tau': 4.0},  # noqa: B006
        alpha: float = 0.9,
        **kwargs: Any,
    ) -> None:
        super().__init__(student, teacher, **kwargs)
        if not 0 <= alpha <= 1:
            raise ValueError(f'alpha must be between 0 and 1, got {alpha}')
        if not stages:
            raise ValueError('stages must name at least one stage, got none.')
        teacher_stages = stages if teacher_stages is None else teacher_stages
        if len(stages) != len(teacher_stages):
            raise ValueError(
                f'stages {tuple(stages)} and teacher_stages {tuple(teacher_stages)} '
                'must pair up.'
            )
        self.alpha = alpha
        self.loss_fn = MODELS.build(loss)
        check_classes(self, self.loss_fn, student, teacher)
        self.taps_in_student = [student.stage(stage) for stage in stages]
        self.taps_in_teacher = [teacher.stage(stage) for stage in teacher_stages]
        self.student_heads = _heads(head, student, self.taps_in_student)
        self.teacher_heads = _heads(head, teacher, self.taps_in_teacher)

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The losses of all student heads and of all teacher heads."""
        pairs = zip(
            self.student_heads,
            self.taps_in_student,
            self.teacher_heads,
            self.taps_in_teacher,
            strict=True,
        )
        student_losses, teacher_losses = [], []
        for student_head, student_tap, teacher_head, teacher_tap in pairs:
            expected = teacher_head(teacher_taps[teacher_tap])
            teacher_losses.append(targets.cross_entropy(expected))
            logits = student_head(student_taps[student_tap])
            size = logits.shape[2:]
            imitation = self.loss_fn(
                logits,
                self.task.resize(expected.detach(), size),
                mask=targets.resized(size).valid,
            )
            student_losses.append(
                self.alpha * imitation
                + (1 - self.alpha) * targets.cross_entropy(logits)
            )
        return {
            'loss_student_heads': torch.stack(student_losses).sum(),
            'loss_teacher_heads': torch.stack(teacher_losses).sum(),
        }


def _heads(head: dict[str, Any], view: ModelView, taps: list[Tap]) -> nn.ModuleList:
    return nn.ModuleList(auxiliary_head(head, view, tap) for tap in taps)
