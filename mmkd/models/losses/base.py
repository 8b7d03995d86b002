"""The frame of every loss between two logit maps."""

from collections.abc import Callable

from torch import Tensor, nn

from mmkd.models.losses.inputs import (
    check_mask,
    check_positions,
    masked_mean,
    positive,
    prepare_pair,
    two_classes,
)


class LogitLoss(nn.Module):
    r"""``tau ** 2`` times the mean of a divergence between softened logits.

    The factor keeps the gradient of one size whatever the temperature. A loss
    defines :meth:`divergence`, or :meth:`compare` where it is no mean over
    positions.

    Args:
        tau: Temperature, which both logits are divided by.

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

    def __init__(self, tau: float) -> None:
        super().__init__()
        self.tau = positive('tau', tau)

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
        student, teacher = prepare_pair(student, teacher, self.ndim)
        check_mask(mask, student)
        args = [student / self.tau, teacher / self.tau]
        if self.needs_labels != (labels is not None):
            takes = 'needs' if self.needs_labels else 'is defined without'
            raise TypeError(f'{type(self).__name__} {takes} labels')
        if labels is not None:
            check_positions('labels', labels, student)
            args.append(labels if mask is None else labels.where(mask, 0))
        return self.tau**2 * self.compare(*args, mask=mask)

    def compare(self, *args: Tensor, mask: Tensor | None) -> Tensor:
        """Reduce the divergence to a scalar.

        Args:
            *args: What :attr:`divergence` takes.
            mask: Bool ``(N, *)``, which positions count; all if None.
        """
        return masked_mean(self.divergence(*args), mask)
