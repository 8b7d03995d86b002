"""Correlation congruence."""

from torch import Tensor, nn

from mmkd.models.losses.inputs import prepare_pair
from mmkd.registry import MODELS


@MODELS.register_module()
class CorrelationCongruenceLoss(nn.Module):
    r"""Products of neighbouring samples' differences from the teacher.

    .. math::
        \frac{1}{N - 1} \sum_{i=1}^{N-1} \sum_j
            |\Delta_{ij}| \, |\Delta_{i+1,j}|, \qquad \Delta = f^S - f^T

    From `Correlation Congruence for Knowledge Distillation
    <https://arxiv.org/abs/1904.01802>`_, as in its authors' code. The
    values agree with ``distiller_zoo/CC.py`` of
    https://github.com/HobbitLong/RepDistiller.

    Examples:
        >>> import torch
        >>> loss = CorrelationCongruenceLoss()
        >>> loss(torch.randn(8, 128), torch.randn(8, 128)).shape
        torch.Size([])
    """

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Embedded student features ``(N, D)``, in batch order.
            teacher: Embedded teacher features ``(N, D)``, a constant.

        Returns:
            A scalar of at least float32; zero for a batch of one.

        Raises:
            ValueError: If the shapes do not match.
        """
        student, teacher = prepare_pair(student, teacher, ndim=2)
        delta = (student - teacher).abs()
        total = (delta[:-1] * delta[1:]).sum()
        return total / max(len(delta) - 1, 1)
