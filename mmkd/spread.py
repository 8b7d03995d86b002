"""Statistics over several seeds: mean, spread, and the difference of two settings."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import stdtrit

LEVEL = 0.95
"""The confidence level of intervals."""

MOST_DIGITS = 6
"""Decimal places at most, for ends that are next to nothing."""

MINUS = '\N{MINUS SIGN}'

NOTHING = '\N{EN DASH}'
"""The table entry for a missing value."""

WORDS = ('no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine')


@dataclass(frozen=True)
class Gain:
    """A mean difference with its confidence interval; above 0 is better.

    Attributes:
        mean: Mean of the differences.
        low: Lower end of the 95 % interval; None for a single pair.
        high: Upper end; likewise.
        pairs: Number of pairs.
    """

    mean: float
    low: float | None
    high: float | None
    pairs: int

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.low is not None and self.low * (self.high or 0) > 0

    @property
    def numbers(self) -> str:
        """For example ``0.6 [-0.5, 1.7]``, with proper minus signs.

        Of decimal places there is one, or as many as tell the ends from 0 and from
        each other.
        """
        low, high = (self.mean if end is None else end for end in (self.low, self.high))
        for digits in range(1, MOST_DIGITS):
            rounded = {end: round(end, digits) for end in (low, high)}
            apart = low == high or rounded[low] < rounded[high]
            if apart and all(not end or rounded[end] for end in rounded):
                return self.written(digits)
        return self.written(MOST_DIGITS)

    def written(self, digits: int) -> str:
        """The same with this many decimal places."""
        mean = number(self.mean, digits)
        if self.low is None or self.high is None:
            return mean
        return f'{mean} [{number(self.low, digits)}, {number(self.high, digits)}]'

    @property
    def verdict(self) -> str:
        """A phrase such as ``not shown: 0.6 [-0.5, 1.7] over three seeds``."""
        seeds = f'{in_words(self.pairs)} seed{"s" * (self.pairs != 1)}'
        if self.pairs == 1:
            return f'not shown: {self.numbers} with one seed, which has no interval'
        if not self.shown:
            return f'not shown: {self.numbers} over {seeds}'
        verb = 'gains' if self.mean > 0 else 'loses'
        return f'{verb} {self.numbers} over {seeds}'


class Point(NamedTuple):
    """Values of several runs at one step.

    Attributes:
        step: An iteration or epoch.
        mean: The mean.
        low: The lowest.
        high: The highest.
    """

    step: int
    mean: float
    low: float
    high: float


def band(curves: Iterable[Mapping[int, float]]) -> list[Point]:
    """The mean, lowest and highest value over several runs.

    Args:
        curves: Each run's values by step; runs without a finite value are ignored.

    Returns:
        A point for each step at which all runs that got this far have a finite value.
    """
    curves = [curve for curve in curves if any(map(math.isfinite, curve.values()))]
    ends = [max(curve) for curve in curves]
    points = []
    for step in sorted({step for curve in curves for step in curve}):
        going = [c for c, end in zip(curves, ends, strict=True) if end >= step]
        values = [curve.get(step, math.nan) for curve in going]
        if all(map(math.isfinite, values)):
            mean = statistics.fmean(values)
            points.append(Point(step, mean, min(values), max(values)))
    return points


def spread(values: Iterable[float | None], digits: int) -> str:
    """Mean and standard deviation of the values that are not None."""
    known = [value for value in values if value is not None]
    if not known:
        return NOTHING
    mean = number(statistics.fmean(known), digits)
    if len(known) == 1 or max(known) == min(known):
        return mean
    return f'{mean} ± {number(statistics.stdev(known), digits)}'


def paired_gain(
    scores: Mapping[int, float],
    baseline: Mapping[int, float],
    less_is_better: bool = False,
) -> Gain | None:
    """The gain over a baseline, paired by seed.

    The interval is Student's t interval for the mean of the differences.

    Args:
        scores: Scores by seed.
        baseline: Scores of the baseline by seed.
        less_is_better: Whether a score below the baseline's is a gain.

    Returns:
        The gain over the seeds that both have; None if there are none.
    """
    common = sorted(scores.keys() & baseline.keys())
    if not common:
        return None
    sign = -1 if less_is_better else 1
    return gain_of([sign * (scores[seed] - baseline[seed]) for seed in common])


def gain_of(differences: Sequence[float]) -> Gain:
    """The mean of differences with its 95 % confidence interval.

    Args:
        differences: At least one.
    """
    # Scores have fewer digits: what is beyond them came with the subtraction.
    differences = [round(each, 9) for each in differences]
    mean, count = statistics.fmean(differences), len(differences)
    if count == 1:
        return Gain(mean, None, None, 1)
    quantile = float(stdtrit(count - 1, (1 + LEVEL) / 2))
    half = quantile * statistics.stdev(differences) / math.sqrt(count)
    return Gain(mean, mean - half, mean + half, count)


def number(value: float, digits: int = 1) -> str:
    """A number with a proper minus sign, except for 0."""
    text = f'{value:.{digits}f}'
    return text.replace('-', MINUS) if float(text) else text.lstrip('-')


def told_apart(*values: float) -> list[str]:
    """Numbers with one decimal place, or as many as tell those apart that differ."""
    for digits in range(1, MOST_DIGITS + 1):
        found = [number(value, digits) for value in values]
        if len({*found}) == len({*values}):
            return found
    # They differ by rounding errors.
    return [number(value) for value in values]


def in_words(count: int) -> str:
    """A count as written in a sentence."""
    return WORDS[count] if count < len(WORDS) else str(count)
