"""Correlation congruence."""

from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.discovery import ModelView
from mmkd.models.methods.feature import FeatureMethod
from mmkd.models.methods.values import at_least
from mmkd.models.taps import Taps
from mmkd.registry import METHODS
from mmkd.structures import Targets


@METHODS.register_module()
class CC(FeatureMethod):
    """Minimise products of neighbouring samples' differences from the teacher.

    Both pooled features are embedded linearly in the same space. Images only.

    Source: Peng et al., "Correlation Congruence for Knowledge Distillation"
    (https://arxiv.org/abs/1904.01802), in the form of
    https://github.com/HobbitLong/RepDistiller, where both embeddings are trained.

    Args:
        student: The student.
        teacher: The teacher, of any width.
        channels: Width of the embeddings.
        **kwargs: See :class:`FeatureMethod`. The loss must depend only on
            the difference of the embeddings.

    Raises:
        ValueError: If the student classifies pixels, a stage does not exist or
            a value is out of range.
    """

    weight = 0.02
    default_loss = {'type': 'CorrelationCongruenceLoss'}  # noqa: RUF012
    only_for = 'images'
    instead = (
        'CC relates the images of a batch and does not apply to pixels. Use IFVD '
        'or SKD for pixels.'
    )

    def __init__(
        self,
        student: ModelView,
        teacher: ModelView,
        channels: int = 128,
        **kwargs: Any,
    ) -> None:
        at_least(1, channels=channels)
        super().__init__(student, teacher, **kwargs)
        self.student_embedding = nn.Linear(self.student_width, channels)
        self.teacher_embedding = nn.Linear(self.teacher_width, channels)

    def loss(
        self, student_taps: Taps, teacher_taps: Taps, targets: Targets
    ) -> dict[str, Tensor]:
        """The correlation congruence loss, a scalar."""
        feature, expected = self.vectors(student_taps, teacher_taps)
        # The loss treats its second argument as constant, but both embeddings are
        # trained: pass their difference as the first.
        difference = self.student_embedding(feature) - self.teacher_embedding(expected)
        return {'loss': self.loss_fn(difference, torch.zeros_like(difference))}
