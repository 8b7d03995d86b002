"""The frame of every loss between two logit maps."""

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

    The factor keeps the gradient of one size whatever the temperature. A loss
    defines :meth:`divergence`, or :meth:`compare` where it is no mean over
    positions.

    Args:
        tau: Temperature, which both logits are divided by.
        in_pieces: Whether large maps are compared piece by piece, see
            :func:`mmkd.models.losses.pieces.sum_of_pieces`.

    Attributes:
        needs_labels: Whether the loss is defined with labels.
        competing: Whether the loss takes a softmax over the classes, which then
            must exclude each other. A single channel is then the second of two
            classes: the first one's logit is 0, which makes of the softmax the
            sigmoid of the channel.
        constant_for_two: What of the loss teaches nothing where there are two
            classes, for a line that says so; empty if all teaches.
        ndim: The number of dimensions that the logits must have; None for any
            from 2 on.
        divergence: Takes softened student and teacher logits ``(N, K, *)``,
            and the labels where the loss needs them; gives one value a position,
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
            teacher: Teacher logits ``(N, K, *)``, a constant. Where classes
                compete, one channel and two may be compared.
            labels: Class indices ``(N, *)``, int64, for the losses that are
                defined with them; any value where ``mask`` is False.
            mask: Bool ``(N, *)``, which positions count; all if None.

        Returns:
            A scalar of at least float32.

        Raises:
            TypeError: If ``mask`` is not bool, or ``labels`` are missing or
                passed to a loss that is defined without.
            ValueError: If the shapes do not fit.
        """
        if self.competing:
            student, teacher = two_classes(student), two_classes(teacher)
        check_pair(student, teacher, self.ndim)
        check_mask(mask, student)
        args = [student, teacher]
        if self.needs_labels != (labels is not None):
            takes = 'needs' if self.needs_labels else 'is defined without'
            raise TypeError(f'{type(self).__name__} {takes} labels')
        if labels is not None:
            check_positions('labels', labels, student)
            args.append(labels if mask is None else labels.where(mask, 0))
        return self.tau**2 * self.compare(*args, mask=mask)

    def compare(
        self, student: Tensor, teacher: Tensor, *labels: Tensor, mask: Tensor | None
    ) -> Tensor:
        """The mean of the divergence over the positions that count.

        Args:
            student: Student logits ``(N, K, *)``, as they are.
            teacher: Teacher logits, likewise.
            *labels: The labels, where the loss needs them.
            mask: Bool ``(N, *)``, which positions count; all if None.

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
        """Both in at least float32 and divided by the temperature."""
        student, teacher = prepare_pair(student, teacher)
        return student / self.tau, teacher / self.tau

    def total(
        self, part: Part, student: Tensor, *constants: Tensor, dims: Sequence[int]
    ) -> Tensor:
        """What ``part`` gives for the maps, in pieces if the loss is to use them.

        Args:
            part: A sum over the dimensions that may be cut.
            student: See :func:`mmkd.models.losses.pieces.sum_of_pieces`.
            *constants: Likewise.
            dims: Likewise.
        """
        if self.in_pieces:
            return sum_of_pieces(part, student, *constants, dims=dims)
        return part(student, *constants)
