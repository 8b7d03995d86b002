"""When a method counts."""

from dataclasses import asdict, dataclass

from mmkd.models.methods.values import check_number


@dataclass(frozen=True)
class Schedule:
    """When one method counts, in steps (epochs or iterations) counted from 0.

    Attributes:
        start: First step in which the method counts.
        warmup: Steps over which its weight then rises linearly. As in the
            published code of ReviewKD and DKD the first of them has weight
            ``1 / warmup``, not 0, and the last has weight 1.
        stop: First step in which it counts no more, or None for never.

    Raises:
        TypeError: If a value is not a number.
        ValueError: If one is negative or infinite, or ends what has not begun.
    """

    start: float = 0
    warmup: float = 0
    stop: float | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        for name, value in asdict(self).items():
            if name != 'stop' or value is not None:
                check_number(name, value)
        if self.stop is not None and self.stop < self.start:
            raise ValueError(
                f'stop must not be smaller than start ({self.start}), got {self.stop}.'
            )

    @property
    def is_constant(self) -> bool:
        """Whether the method counts in full from the first step to the last."""
        return self == Schedule()

    def factor(self, step: int) -> float:
        """What the method's weight is multiplied by, in [0, 1].

        Args:
            step: Epoch or iteration, counted from 0.
        """
        if step < self.start or (self.stop is not None and step >= self.stop):
            return 0.0
        if self.warmup == 0:
            return 1.0
        return min((step - self.start + 1) / self.warmup, 1.0)

    def __str__(self) -> str:
        """In words, for a table."""
        if self.is_constant:
            return 'always'
        parts = [f'from {self.start:g}'] if self.start else []
        parts += [f'warm-up {self.warmup:g}'] if self.warmup else []
        parts += [f'to {self.stop:g}'] if self.stop is not None else []
        return ', '.join(parts)
