"""Correlation congruence."""

from torch import Tensor, nn

from mmkd.models.losses.inputs import not_negative, prepare_pair
from mmkd.registry import MODELS


@MODELS.register_module()
class CorrelationCongruenceLoss(nn.Module):
    r"""How far neighbours in the batch differ from the teacher together.

    .. math::
        \frac{1}{N - 1} \sum_{i=1}^{N-1} \sum_j
            |\Delta_{ij}| \, |\Delta_{i+1,j}|, \qquad \Delta = f^S - f^T

    From `Correlation Congruence for Knowledge Distillation
    <https://arxiv.org/abs/1904.01802>`_, in the form of its authors' code. The
    values agree with ``distiller_zoo/CC.py`` of
    https://github.com/HobbitLong/RepDistiller.

    Args:
        loss_weight: Factor on the loss; 0.02 is usual.

    Raises:
        ValueError: If ``loss_weight`` is below 0.

    Examples:
        >>> import torch
        >>> loss = CorrelationCongruenceLoss()
        >>> loss(torch.randn(8, 128), torch.randn(8, 128)).shape
        torch.Size([])
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = not_negative('loss_weight', loss_weight)

    def forward(self, student: Tensor, teacher: Tensor) -> Tensor:
        """Compute the loss.

        Args:
            student: Embedded student features ``(N, D)``, in batch order.
            teacher: Embedded teacher features ``(N, D)``, a constant.

        Returns:
            A scalar of at least float32; zero for a batch of one.

        Raises:
            ValueError: If the shapes do not fit.
        """
        student, teacher = prepare_pair(student, teacher, ndim=2)
        delta = (student - teacher).abs()
        total = (delta[:-1] * delta[1:]).sum()
        return self.loss_weight * total / max(len(delta) - 1, 1)
