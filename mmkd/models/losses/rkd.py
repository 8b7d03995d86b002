"""Relational knowledge distillation."""

import torch
from torch import Tensor, nn
from torch.nn.functional import smooth_l1_loss

from mmkd.models.losses.inputs import not_negative, prepare_pair, without_autocast
from mmkd.registry import MODELS


@MODELS.register_module()
class RKDLoss(nn.Module):
    """Smooth L1 between the distances and angles that a batch's features form.

    Distances are those of all pairs divided by their mean; angles are the
    cosines at each sample between the directions to two others. Both are
    invariant to rotation, shift and scale of the features, and the widths of
    student and teacher may differ.

    From `Relational Knowledge Distillation <https://arxiv.org/abs/1904.05068>`_, its
    distance-wise and angle-wise losses. The values agree with
    ``distiller_zoo/RKD.py`` of https://github.com/HobbitLong/RepDistiller.

    Args:
        distance_weight: Weight of the distances.
        angle_weight: Weight of the angles.

    Raises:
        ValueError: If a weight is below 0.

    Examples:
        >>> import torch
        >>> loss = RKDLoss(distance_weight=25.0, angle_weight=50.0)
        >>> loss(torch.randn(8, 64), torch.randn(8, 256)).shape
        torch.Size([])
    """

    def __init__(
        self,
        distance_weight: float = 25.0,
        angle_weight: float = 50.0,
    ) -> None:
        super().__init__()
        self.distance_weight = not_negative('distance_weight', distance_weight)
        self.angle_weight = not_negative('angle_weight', angle_weight)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Student features ``(N, D)``.
            teacher: Teacher features ``(N, E)``, a constant.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not match.
        """
        student, teacher = prepare_pair(student, teacher, ndim=2, same_width=False)
        with without_autocast(student):
            distance, angle = relations(student)
            teacher_distance, teacher_angle = relations(teacher)
        loss = self.distance_weight * smooth_l1_loss(distance, teacher_distance)
        loss = loss + self.angle_weight * smooth_l1_loss(angle, teacher_angle)
        return loss


def relations(features: Tensor) -> tuple[Tensor, Tensor]:
    """The distances and angles that features form.

    Args:
        features: ``(N, D)``.

    Returns:
        Pairwise distances divided by their mean, ``(N, N)``, and the cosine of the
        angle at sample ``i`` between ``j`` and ``k``, ``(N, N, N)``. Where two
        samples coincide, both are zero and have no gradient.
    """
    direction = features.unsqueeze(0) - features.unsqueeze(1)
    distance = direction.norm(dim=2)
    apart = distance > 0
    safe = distance.where(apart, torch.inf)
    unit = direction / safe.unsqueeze(2)
    mean = distance.sum() / apart.sum().clamp(min=1)
    return distance / mean.where(mean > 0, 1), unit @ unit.mT
