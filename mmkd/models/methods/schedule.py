"""The schedule of a method."""

from dataclasses import dataclass

from mmkd.models.methods.values import check_number


@dataclass(frozen=True)
class Schedule:
    """When a method is active, in steps counted from 0.

    Attributes:
        start: First step in which the method is active.
        warmup: Steps over which its weight then rises linearly. As in the
            published code of ReviewKD and DKD, the first of them has weight
            ``1 / warmup``, not 0, and the last has weight 1.
        stop: First step in which it is no longer active, or None for never.
        by_epoch: True if steps are epochs, False if they are iterations, None for
            the unit of the training loop.

    Raises:
        TypeError: If a value is not a number.
        ValueError: If one is negative or infinite, or ``stop`` is below ``start``.
    """

    start: float = 0
    warmup: float = 0
    stop: float | None = None
    by_epoch: bool | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.by_epoch not in (None, True, False):
            raise TypeError(
                f'by_epoch must be True, False or None, got {self.by_epoch!r}'
            )
        for name in ('start', 'warmup', 'stop'):
            if name != 'stop' or self.stop is not None:
                check_number(name, getattr(self, name))
        if self.stop is not None and self.stop < self.start:
            raise ValueError(
                f'stop must not be smaller than start ({self.start}), got {self.stop}.'
            )

    @property
    def is_constant(self) -> bool:
        """Whether the method has its full weight in every step."""
        return not (self.start or self.warmup) and self.stop is None

    def factor(self, step: int) -> float:
        """Factor on the method's weight, in [0, 1].

        Args:
            step: The step, counted from 0.
        """
        if step < self.start or (self.stop is not None and step >= self.stop):
            return 0.0
        if self.warmup == 0:
            return 1.0
        return min((step - self.start + 1) / self.warmup, 1.0)

    def __str__(self) -> str:
        """Describe the schedule in words, for a table."""
        if self.is_constant:
            return 'always'
        parts = [f'from {self.start:g}'] if self.start else []
        parts += [f'warm-up {self.warmup:g}'] if self.warmup else []
        parts += [f'to {self.stop:g}'] if self.stop is not None else []
        units = {None: '', True: ' (epochs)', False: ' (iterations)'}
        return ', '.join(parts) + units[self.by_epoch]
