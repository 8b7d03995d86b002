"""Contrastive representation distillation."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from mmkd.models.losses.inputs import (
    check_pair,
    positive,
    widen,
    without_autocast,
)
from mmkd.registry import MODELS


@MODELS.register_module()
class ContrastiveRepresentationLoss(nn.Module):
    r"""Tell the teacher's view of a sample from those of other samples.

    An anchor :math:`v` must recognise its positive among ``R`` negatives of a
    memory of ``M`` samples, by noise-contrastive estimation:

    .. math::
        -\log h_0 - \sum_{r=1}^{R} \log(1 - h_r), \qquad
        h_r = \frac{P_r}{P_r + R / M}, \quad
        P_r = \frac{\exp(v^\top m_r / \tau)}{Z}

    The loss is its mean over the student's embeddings as anchors in the
    teacher's memory, plus its mean over the teacher's in the student's.

    From `Contrastive Representation Distillation
    <https://arxiv.org/abs/1910.10699>`_, equation 18. The values agree
    with ``crd/criterion.py`` and ``crd/memory.py`` of
    https://github.com/HobbitLong/RepDistiller except for its guard of 1e-7 in the
    denominator of ``h``.

    Args:
        tau: Temperature.

    Raises:
        ValueError: If ``tau`` is not above 0.

    Examples:
        >>> import torch
        >>> loss = ContrastiveRepresentationLoss(tau=0.07)
        >>> memory = torch.nn.functional.normalize(torch.randn(500, 128))
        >>> indices = torch.randint(500, (8, 65))
        >>> anchors = memory[indices[:, 0]]
        >>> loss(anchors, anchors, memory, memory, indices).shape
        torch.Size([])
    """

    def __init__(self, tau: float = 0.07) -> None:
        super().__init__()
        self.tau = positive('tau', tau)

    def forward(
        self,
        student: Tensor,
        teacher: Tensor,
        student_memory: Tensor,
        teacher_memory: Tensor,
        indices: Tensor,
        normalizers: Callable[[Tensor], Tensor] | None = None,
    ) -> Tensor:
        """Compute the loss.

        Unlike in other losses, the teacher's embedding keeps its gradient, as
        it is trained too. Only its input, the teacher's feature, is constant.

        Args:
            student: Student embeddings ``(N, D)`` of unit length.
            teacher: Teacher embeddings ``(N, D)`` of unit length.
            student_memory: Earlier student embeddings of all samples,
                ``(M, D)``, constants.
            teacher_memory: Earlier teacher embeddings, ``(M, D)``, constants.
            indices: Rows of the memories, int64 ``(N, 1 + R)``: the sample's
                own first, then its negatives.
            normalizers: Maps this batch's estimate of ``log Z`` for the
                student's and the teacher's anchors, ``(2,)``, to the values to
                use: CRD keeps those of the first batch. None uses the estimate.

        Returns:
            A scalar of at least float32.

        Raises:
            ValueError: If the shapes do not match.
        """
        scores = self._scores(student, teacher, student_memory, teacher_memory, indices)
        log_z = self._estimate(scores, len(student_memory))
        if normalizers is not None:
            log_z = normalizers(log_z)
        log_noise = math.log((indices.shape[1] - 1) / len(student_memory))
        odds = scores - log_z.to(scores.dtype).view(2, 1, 1) - log_noise
        log_likelihood = logsigmoid(odds[..., 0]) + logsigmoid(-odds[..., 1:]).sum(-1)
        return -log_likelihood.mean(1).sum()

    def _scores(
        self,
        student: Tensor,
        teacher: Tensor,
        student_memory: Tensor,
        teacher_memory: Tensor,
        indices: Tensor,
    ) -> Tensor:
        check_pair(student, teacher, ndim=2)
        check_pair(student_memory, teacher_memory, ndim=2)
        if student_memory.shape[1] != student.shape[1]:
            raise ValueError(
                f'the memories must have the width of the embeddings, '
                f'{student.shape[1]}, got {tuple(student_memory.shape)}'
            )
        if indices.dim() != 2 or len(indices) != len(student) or indices.shape[1] < 2:
            raise ValueError(
                f'indices must be ({len(student)}, 1 + R) with R at least 1, got '
                f'{tuple(indices.shape)}'
            )
        with without_autocast(student):
            # Score the whole memory, then gather: gathering its rows first would
            # need a tensor of N * (1 + R) * D entries, far more than N * M.
            pairs = (student, teacher_memory), (teacher, student_memory)
            return torch.stack(
                [
                    (widen(anchors) @ memory.detach().to(widen(anchors).dtype).T)
                    .gather(1, indices)
                    .div(self.tau)
                    for anchors, memory in pairs
                ]
            )

    @staticmethod
    def _estimate(scores: Tensor, memory_size: int) -> Tensor:
        rows = scores.detach().flatten(1)
        return rows.logsumexp(1) - math.log(rows.shape[1] / memory_size)
