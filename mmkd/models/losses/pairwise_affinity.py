"""The pairwise loss of structured knowledge distillation."""

from torch import Tensor, nn
from torch.nn.functional import max_pool2d, mse_loss, normalize

from mmkd.models.losses.inputs import prepare_pair, without_autocast
from mmkd.registry import MODELS


@MODELS.register_module()
class PairwiseAffinityLoss(nn.Module):
    r"""Squared error between the affinities of the regions of an image.

    .. math::
        \frac{1}{N R^2} \sum_n \sum_{i,j} (a^S_{nij} - a^T_{nij})^2, \qquad
        a_{ij} = \frac{f_i^\top f_j}{\|f_i\| \|f_j\|}

    over the ``R`` regions that max pooling leaves. The widths of student and
    teacher may differ.

    From `Structured Knowledge Distillation for Dense Prediction
    <https://arxiv.org/abs/1903.04197>`_, its pair-wise loss. The values agree with
    ``CriterionPairWiseforWholeFeatAfterPool`` in ``utils/criterion.py`` of
    https://github.com/irfanICMLL/structure_knowledge_distillation, which keeps
    the norms out of the gradient; here, as in ``losses/skd.py`` of
    https://github.com/winycg/CIRKD, they are part of it.

    Args:
        pool_scale: Side of a region, as a fraction of the map's.

    Raises:
        ValueError: If ``pool_scale`` is not above 0 and at most 1.

    Examples:
        >>> import torch
        >>> loss = PairwiseAffinityLoss(pool_scale=0.5)
        >>> student = torch.randn(4, 128, 32, 64)
        >>> loss(student, torch.randn(4, 512, 32, 64)).shape
        torch.Size([])
    """

    def __init__(self, pool_scale: float = 0.5) -> None:
        super().__init__()
        if not 0 < pool_scale <= 1:
            raise ValueError(
                f'pool_scale must be above 0 and at most 1, got {pool_scale}'
            )
        self.pool_scale = pool_scale

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Student features ``(N, C, H, W)``.
            teacher: Teacher features ``(N, D, H, W)``, a constant.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not fit.
        """
        student, teacher = prepare_pair(student, teacher, ndim=4, same_width=False)
        with without_autocast(student):
            loss = mse_loss(self._affinity(student), self._affinity(teacher))
        return loss

    def _affinity(self, features: Tensor) -> Tensor:
        size = [max(int(side * self.pool_scale), 1) for side in features.shape[2:]]
        regions = max_pool2d(features, size, size, ceil_mode=True).flatten(2)
        regions = normalize(regions, dim=1)
        return regions.mT @ regions
