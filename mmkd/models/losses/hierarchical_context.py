"""The hierarchical context loss of ReviewKD."""

from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, mse_loss

from mmkd.models.losses.inputs import prepare_pair
from mmkd.registry import MODELS


@MODELS.register_module()
class HierarchicalContextLoss(nn.Module):
    """Mean squared error of a feature map and of its coarser averages.

    The map itself and its averages pooled to 4 x 4, 2 x 2 and 1 x 1 have the
    weights 1, 1/2, 1/4 and 1/8, divided by their sum. A pool that is not smaller
    than the map is skipped, and the next gets its weight.

    From `Distilling Knowledge via Knowledge Review
    <https://arxiv.org/abs/2104.09044>`_. The values agree with one
    term of ``hcl`` in ``CIFAR-100/model/reviewkd.py`` of
    https://github.com/dvlab-research/ReviewKD, which adds up all stages.

    Args:
        pools: Side lengths of the pooled maps, in the order of their weights.

    Raises:
        ValueError: If a pool is below 1.

    Examples:
        >>> import torch
        >>> loss = HierarchicalContextLoss()
        >>> student, teacher = torch.randn(2, 8, 64, 16, 16)
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    def __init__(self, pools: tuple[int, ...] = (4, 2, 1)) -> None:
        super().__init__()
        if any(pool < 1 for pool in pools):
            raise ValueError(f'pools must all be at least 1, got {pools}')
        self.pools = tuple(pools)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss of one stage.

        Args:
            student: Fused student features ``(N, C, H, W)``.
            teacher: Teacher features ``(N, C, H, W)``, a constant.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not match.
        """
        student, teacher = prepare_pair(student, teacher, ndim=4)
        loss = mse_loss(student, teacher)
        weight = total = 1.0
        for pool in self.pools:
            if pool >= min(student.shape[2:]):
                continue
            weight /= 2
            total += weight
            pooled = adaptive_avg_pool2d(student - teacher, pool)
            loss = loss + weight * pooled.square().mean()
        return loss / total
