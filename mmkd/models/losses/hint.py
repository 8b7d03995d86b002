"""The hint loss of FitNets."""

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from mmkd.models.losses.inputs import prepare_pair
from mmkd.registry import MODELS


@MODELS.register_module()
class HintLoss(nn.Module):
    """Mean squared error between a regressed student feature and the teacher's.

    From `FitNets: Hints for Thin Deep Nets <https://arxiv.org/abs/1412.6550>`_.
    The values agree with ``distiller_zoo/FitNet.py`` of
    https://github.com/HobbitLong/RepDistiller: the mean over all entries
    instead of half their sum, as in the paper.

    Examples:
        >>> import torch
        >>> loss = HintLoss()
        >>> student, teacher = torch.randn(2, 8, 64, 16, 16)
        >>> loss(student, teacher).shape
        torch.Size([])
    """

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Student features ``(N, C, *)``, after the regressor.
            teacher: Teacher features ``(N, C, *)``, a constant.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not match.
        """
        return mse_loss(*prepare_pair(student, teacher))
