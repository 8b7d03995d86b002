"""The two parts of a training loss, and the one tensor they travel on."""

from typing import NamedTuple

from torch import Tensor


class LossGroups(NamedTuple):
    """The two parts of a training loss that gradient alignment keeps apart.

    Attributes:
        task: The student's own supervised loss, a scalar.
        distillation: What the methods add, a scalar, or None where no method
            is active.
    """

    task: Tensor
    distillation: Tensor | None


def sum_of_groups(groups: LossGroups) -> Tensor:
    """Add the two groups to the one scalar that MMEngine hands around.

    MMEngine passes a single tensor from ``parse_losses`` to the optimiser
    wrapper, through whichever data-parallel wrapper lies between. The groups
    travel on that tensor, so that every wrapper works unchanged.
    """
    total = groups.task
    if groups.distillation is not None:
        total = total + groups.distillation
    total.groups = groups  # type: ignore[attr-defined]
    return total


def groups_of(total: Tensor) -> LossGroups:
    """Take back the groups that :func:`sum_of_groups` put on a loss.

    Raises:
        TypeError: If the loss never passed through it.
    """
    groups = getattr(total, 'groups', None)
    if groups is None:
        raise TypeError(
            'the loss does not tell the task from distillation: gradient alignment '
            'and its analysis need the loss of a Distiller, whose parse_losses '
            'marks both. For a student without a teacher use OptimWrapper.'
        )
    return groups
