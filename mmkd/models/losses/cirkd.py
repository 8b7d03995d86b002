"""Cross-image relational knowledge distillation."""

from itertools import product

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mmkd.models.losses.inputs import (
    check_mask,
    masked_mean,
    not_negative,
    positive,
    prepare_pair,
    without_autocast,
)
from mmkd.models.losses.kl_divergence import softmax_kl
from mmkd.registry import MODELS


@MODELS.register_module()
class CIRKDLoss(nn.Module):
    r"""Match how pixels resemble the pixels and regions of other images.

    The loss is the weighted sum of up to three parts. Each is the mean over
    anchor pixels of ``KL(softmax(t / tau) || softmax(s / tau))``, where ``t``
    and ``s`` are the teacher's and the student's cosine similarities of the
    anchor to a set of others:

    - mini-batch pixel-to-pixel: to all pixels of one image of the batch, for
      every pair of images; each network compares its own features;
    - memory pixel-to-pixel and pixel-to-region: to a bank of the teacher's
      pixel or region embeddings; only valid pixels are anchors.

    From `Cross-Image Relational Knowledge Distillation for Semantic
    Segmentation <https://arxiv.org/abs/2204.06986>`_. The values of the parts
    agree with ``losses/cirkd_mini_batch.py`` (for maps below
    256 x 256, which it does not pool) and ``losses/cirkd_memory.py``
    (``contrast_kd_temperature=1``) of https://github.com/winycg/CIRKD.

    Args:
        tau: Temperature of the similarities.
        batch_weight: Weight of the mini-batch part.
        pixel_weight: Weight of the memory part over pixels.
        region_weight: Weight of the memory part over regions.

    Raises:
        ValueError: If ``tau`` is not above 0 or a weight is below 0.

    Examples:
        >>> import torch
        >>> loss = CIRKDLoss(tau=0.1)
        >>> student, teacher = torch.randn(2, 2, 64, 16, 16)
        >>> bank = torch.randn(19, 216, 64)
        >>> loss(student, teacher, pixel_bank=bank).shape
        torch.Size([])
    """

    def __init__(
        self,
        tau: float = 0.1,
        batch_weight: float = 1.0,
        pixel_weight: float = 0.1,
        region_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.tau = positive('tau', tau)
        self.batch_weight = not_negative('batch_weight', batch_weight)
        self.pixel_weight = not_negative('pixel_weight', pixel_weight)
        self.region_weight = not_negative('region_weight', region_weight)

    def forward(
        self,
        student: Tensor,
        teacher: Tensor,
        *,
        embedded: Tensor | None = None,
        pixel_bank: Tensor | None = None,
        region_bank: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss. No tensor needs to be normalised.

        Args:
            student: Student features ``(N, C, H, W)``.
            teacher: Teacher features ``(N, D, H, W)``, a constant.
            embedded: Student features embedded to the teacher's width,
                ``(N, D, H, W)``, to compare with the banks; ``student`` if
                None.
            pixel_bank: Teacher pixels ``(*, D)``; None omits this part.
            region_bank: Teacher regions ``(*, D)``; None omits this part.
            mask: Bool ``(N, H, W)``, True at anchor pixels of the memory
                parts; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool.
            ValueError: If the shapes do not match.
        """
        if embedded is None:
            embedded = student
        student, teacher = prepare_pair(student, teacher, ndim=4, same_width=False)
        check_mask(mask, student)
        loss = student.new_zeros(())
        if self.batch_weight:
            part = mini_batch_divergence(student, teacher, self.tau)
            loss = loss + self.batch_weight * part
        for weight, bank in (
            (self.pixel_weight, pixel_bank),
            (self.region_weight, region_bank),
        ):
            if bank is not None:
                part = memory_divergence(embedded, teacher, bank, self.tau, mask)
                loss = loss + weight * part
        return loss


def mini_batch_divergence(student: Tensor, teacher: Tensor, tau: float) -> Tensor:
    """The mini-batch pixel-to-pixel part.

    It needs memory for ``(N * H * W) ** 2`` numbers: pool large maps first.

    Args:
        student: Student features ``(N, C, H, W)``.
        teacher: Teacher features ``(N, D, H, W)``.
        tau: Temperature.
    """
    student, teacher = prepare_pair(student, teacher, ndim=4, same_width=False)
    s, t = (normalize(features, dim=1).flatten(2) for features in (student, teacher))
    with without_autocast(student):
        parts = [
            softmax_kl(s[i].T @ s[j] / tau, t[i].T @ t[j] / tau).mean()
            for i, j in product(range(len(s)), repeat=2)
        ]
    return torch.stack(parts).mean()


def memory_divergence(
    student: Tensor, teacher: Tensor, bank: Tensor, tau: float, mask: Tensor | None
) -> Tensor:
    """A memory part; zero, with gradient, if no pixel is an anchor.

    Args:
        student: Embedded student features ``(N, D, H, W)``.
        teacher: Teacher features ``(N, D, H, W)``.
        bank: Teacher embeddings ``(*, D)``, constants.
        tau: Temperature.
        mask: Bool ``(N, H, W)``, True at anchor pixels; all if None.

    Raises:
        ValueError: If the student or the bank does not have the teacher's width.
    """
    student, teacher = prepare_pair(student, teacher, ndim=4)
    if bank.shape[-1] != teacher.shape[1]:
        raise ValueError(
            f'a bank must have the width of the teacher, {teacher.shape[1]}, '
            f'got a bank of shape {tuple(bank.shape)}'
        )
    bank = normalize(bank.detach().to(teacher.dtype).flatten(0, -2), dim=1)

    def similarity(features: Tensor) -> Tensor:
        rows = features.movedim(1, -1).flatten(0, -2)
        return normalize(rows, dim=1) @ bank.T / tau

    with without_autocast(student):
        divergence = softmax_kl(similarity(student), similarity(teacher))
    return masked_mean(divergence, None if mask is None else mask.flatten())
