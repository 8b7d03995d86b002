"""Axes of a chart: coordinates of values, ticks and their labels."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from mmkd.spread import MINUS


@dataclass(frozen=True)
class Axis:
    """A mapping from values to coordinates.

    Attributes:
        low: The value at the start.
        high: The value at the end, above ``low``.
        begin: The coordinate of the start.
        end: The coordinate of the end.
        logarithmic: Whether the scale is logarithmic; values are positive then.
    """

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """The coordinate of a value."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        part = (self._scaled(value) - low) / (high - low)
        return round(self.begin + part * (self.end - self.begin), 1)

    def _scaled(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value

    def ticks(self, count: int = 4) -> list[float]:
        """Round values on the axis: about ``count``, or powers of ten."""
        if self.logarithmic:
            exponents = range(
                math.ceil(math.log10(self.low) - 1e-9),
                math.floor(math.log10(self.high) + 1e-9) + 1,
            )
            return [10.0**exponent for exponent in exponents]
        raw = (self.high - self.low) / count
        magnitude = 10.0 ** math.floor(math.log10(raw))
        step = next(m * magnitude for m in (1, 2, 2.5, 5, 10) if m * magnitude >= raw)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def axis_of(
    values: Iterable[float], begin: float, end: float, logarithmic: bool = False
) -> Axis:
    """An axis that covers all values.

    Args:
        values: At least one, all finite.
        begin: The coordinate of the start.
        end: The coordinate of the end.
        logarithmic: See :class:`Axis`; ignored if a value is not positive.
    """
    values = list(values)
    low, high = min(values), max(values)
    if logarithmic and low > 0:
        return Axis(low / 1.1, high * 1.1, begin, end, True)
    margin = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return Axis(low - margin, high + margin, begin, end)


def short(value: float) -> str:
    """A value as an axis label."""
    if value and (abs(value) >= 1e5 or abs(value) < 1e-3):
        mantissa, exponent = f'{value:.1e}'.split('e')
        text = f'{mantissa.removesuffix(".0")}e{int(exponent)}'
    else:
        # From 1000 on, four digits might become a power of ten.
        text = f'{value:.0f}' if abs(value) >= 1000 else f'{value:.4g}'
    return text.replace('-', MINUS)
