"""The base class of losses between two logit maps."""

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    check_pair,
    check_positions,
    masked_sum,
    number_of,
    positive,
    prepare_pair,
    two_classes,
)
from mmkd.models.losses.pieces import Part, sum_of_pieces


class LogitLoss(nn.Module):
    r"""``tau ** 2`` times the mean of a divergence between softened logits.

    The factor keeps the scale of the gradient independent of the temperature.
    A loss defines :meth:`divergence`, or overrides :meth:`compare` if it is not
    a mean over positions.

    Args:
        tau: Temperature that both logits are divided by.
        in_pieces: Whether large maps are compared piece by piece, see
            :func:`mmkd.models.losses.pieces.sum_of_pieces`.

    Attributes:
        needs_labels: Whether the loss takes labels.
        competing: Whether the loss takes a softmax over the classes, which must
            then be mutually exclusive. A single channel is then the second of
            two classes: the first one's logit is 0, so that the softmax is the
            sigmoid of the channel.
        constant_for_two: The part of the loss that teaches nothing with only two
            classes, quoted in a log line; empty if there is none.
        ndim: Number of dimensions that the logits must have; None for any number
            from 2.
        divergence: Takes softened student and teacher logits ``(N, K, *)``, and
            the labels if the loss needs them; returns one value per position,
            ``(N, *)``.

    Raises:
        ValueError: If ``tau`` is not above 0.
    """

    needs_labels = False
    competing = False
    constant_for_two = ''
    ndim: int | None = None
    divergence: Callable[..., Tensor]

    def __init__(self, tau: float, in_pieces: bool = True) -> None:
        super().__init__()
        self.tau = positive('tau', tau)
        self.in_pieces = in_pieces

    def forward(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor | None = None,
        *,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            student: Student logits ``(N, K, *)``.
            teacher: Teacher logits ``(N, K, *)``, a constant. A
                ``competing`` loss may compare one channel with two.
            labels: Class indices ``(N, *)``, int64, for the losses that need
                them; any value where ``mask`` is False.
            mask: Bool ``(N, *)``, True at positions that count; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool, or ``labels`` are missing or
                passed to a loss that takes none.
            ValueError: If the shapes do not match.
        """
        if self.competing:
            student, teacher = two_classes(student), two_classes(teacher)
        check_pair(student, teacher, self.ndim)
        check_mask(mask, student)
        args = [student, teacher]
        if self.needs_labels != (labels is not None):
            takes = 'needs' if self.needs_labels else 'takes no'
            raise TypeError(f'{type(self).__name__} {takes} labels')
        if labels is not None:
            check_positions('labels', labels, student)
            args.append(labels if mask is None else labels.where(mask, 0))
        return self.tau**2 * self.compare(*args, mask=mask)

    def compare(
        self, student: Tensor, teacher: Tensor, *labels: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Average the divergence over the positions that count.

        Args:
            student: Student logits ``(N, K, *)``, not softened.
            teacher: Teacher logits, likewise.
            *labels: The labels, if the loss needs them.
            mask: Bool ``(N, *)``, True at positions that count; all if None.

        Returns:
            A scalar of at least float32.
        """
        each = [*labels] if mask is None else [*labels, mask]

        def part(student: Tensor, teacher: Tensor, *each: Tensor) -> Tensor:
            labels = [values.squeeze(1) for values in each]
            counted = None if mask is None else labels.pop()
            logits = self.soften(student, teacher)
            return masked_sum(self.divergence(*logits, *labels), counted)

        constants = (teacher, *(values.unsqueeze(1) for values in each))
        positions = 0, *range(2, student.dim())
        total = self.total(part, student, *constants, dims=positions)
        return total / number_of(student.shape[:1] + student.shape[2:], mask)

    def soften(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Convert both to at least float32 and divide them by the temperature."""
        student, teacher = prepare_pair(student, teacher)
        return student / self.tau, teacher / self.tau

    def total(
        self, part: Part, student: Tensor, *constants: Tensor, dims: Sequence[int]
    ) -> Tensor:
        """Apply ``part`` to the maps, piece by piece if ``in_pieces`` is set.

        Args:
            part: A sum over the dimensions that may be cut.
            student: See :func:`mmkd.models.losses.pieces.sum_of_pieces`.
            *constants: Likewise.
            dims: Likewise.
        """
        if self.in_pieces:
            return sum_of_pieces(part, student, *constants, dims=dims)
        return part(student, *constants)
