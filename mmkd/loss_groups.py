"""The two parts of a training loss, attached to the tensor of their sum."""

from typing import NamedTuple

from torch import Tensor


class LossGroups(NamedTuple):
    """The two parts of a training loss that gradient alignment keeps apart.

    Attributes:
        task: The student's own supervised loss, a scalar.
        distillation: The sum of the methods' losses, a scalar, or None if no
            method is active.
    """

    task: Tensor
    distillation: Tensor | None


def sum_of_groups(groups: LossGroups) -> Tensor:
    """Add up the two groups to the one scalar that MMEngine passes around.

    MMEngine passes a single tensor from ``parse_losses`` to the optimiser
    wrapper, through any data-parallel wrapper in between. The groups are an
    attribute of that tensor, so every wrapper works unchanged.
    """
    total = groups.task
    if groups.distillation is not None:
        total = total + groups.distillation
    total.groups = groups  # type: ignore[attr-defined]
    return total


def groups_of(total: Tensor) -> LossGroups:
    """Get the groups that :func:`sum_of_groups` attached to a loss.

    Raises:
        TypeError: If the loss has none.
    """
    groups = getattr(total, 'groups', None)
    if groups is None:
        raise TypeError(
            'the loss does not separate task and distillation: gradient alignment '
            'and its analysis need the loss of a Distiller, whose parse_losses '
            'keeps both. For a student without a teacher use OptimWrapper.'
        )
    return groups
