"""Intra-class feature variation distillation."""

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from mmkd.models.group_means import class_groups, group_means
from mmkd.models.losses.inputs import (
    check_mask,
    check_positions,
    masked_mean,
    prepare_pair,
)
from mmkd.registry import MODELS


@MODELS.register_module()
class IFVDLoss(nn.Module):
    r"""Squared error between the cosines of features with their class centres.

    .. math::
        \frac{1}{N} \sum_p \big(\cos(f^S_p, c^S_p) - \cos(f^T_p, c^T_p)\big)^2

    where ``c_p`` is the mean feature of the pixels of the same image and class as
    pixel ``p``. The widths of student and teacher may differ.

    From `Intra-class Feature Variation Distillation for Semantic Segmentation
    <https://www.ecva.net/papers/eccv_2020/papers_ECCV/papers/123520341.pdf>`_.
    The values agree with ``CriterionIFV`` in ``utils/criterion.py`` of
    https://github.com/YukangWang/IFVD if every pixel counts; that code always
    divides by the number of all pixels.

    Examples:
        >>> import torch
        >>> loss = IFVDLoss()
        >>> student, teacher = torch.randn(2, 4, 128, 32, 64)
        >>> loss(student, teacher, torch.randint(19, (4, 32, 64)), 19).shape
        torch.Size([])
    """

    def forward(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        num_classes: int,
        *,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            student: Student features ``(N, C, H, W)``.
            teacher: Teacher features ``(N, D, H, W)``, a constant.
            labels: Class indices ``(N, H, W)``, int64, at the features' resolution,
                from 0 to ``num_classes - 1`` where a pixel counts.
            num_classes: Number of classes.
            mask: Bool ``(N, H, W)``, True at pixels that count; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool.
            ValueError: If the shapes do not match.
        """
        student, teacher = prepare_pair(student, teacher, ndim=4, same_width=False)
        check_positions('labels', labels, student)
        check_mask(mask, student)
        groups, count = class_groups(labels, mask, num_classes)
        difference = variation(student, groups, count)
        difference = difference - variation(teacher, groups, count)
        return masked_mean(difference.square(), mask)


def variation(features: Tensor, groups: Tensor, count: int) -> Tensor:
    """Cosine between each pixel's feature and the mean of its group.

    Args:
        features: ``(N, C, H, W)``.
        groups: The group of each pixel ``(N, H, W)``, counted from 0.
        count: Number of groups, some of which may be empty.

    Returns:
        The cosine of each pixel, ``(N, H, W)``.
    """
    rows, index = features.movedim(1, -1).flatten(0, 2), groups.flatten()
    centres, _ = group_means(rows, index, count)
    centre = centres.index_select(0, index)
    return cosine_similarity(rows, centre, dim=1).view_as(groups)
