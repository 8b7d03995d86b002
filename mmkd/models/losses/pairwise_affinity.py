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
    <https://arxiv.org/abs/1903.04197>`_, its pairwise loss. Value and gradient
    agree with ``losses/skd.py`` of https://github.com/winycg/CIRKD. The paper's own
    code, https://github.com/irfanICMLL/structure_knowledge_distillation, pools to
    half the map's side and keeps the norms out of the gradient.

    Args:
        region: Side of a region, in pixels of the compared map. Regions at the
            right and bottom edges may be smaller.

    Raises:
        ValueError: If ``region`` is not a positive integer.

    Examples:
        >>> import torch
        >>> loss = PairwiseAffinityLoss(region=2)
        >>> student = torch.randn(4, 128, 32, 64)
        >>> loss(student, torch.randn(4, 512, 32, 64)).shape
        torch.Size([])
    """

    def __init__(self, region: int = 2) -> None:
        super().__init__()
        if not isinstance(region, int) or region < 1:
            raise ValueError(f'region must be at least 1 pixel, got {region!r}')
        self.region = region

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Student features ``(N, C, H, W)``.
            teacher: Teacher features ``(N, D, H, W)``, a constant.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not match.
        """
        student, teacher = prepare_pair(student, teacher, ndim=4, same_width=False)
        with without_autocast(student):
            loss = mse_loss(self._affinity(student), self._affinity(teacher))
        return loss

    def _affinity(self, features: Tensor) -> Tensor:
        regions = max_pool2d(features, self.region, ceil_mode=True).flatten(2)
        regions = normalize(regions, dim=1)
        return regions.mT @ regions
