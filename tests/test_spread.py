import math

import pytest

from mmkd.spread import (
    NOTHING,
    band,
    gain_of,
    number,
    paired_gain,
    spread,
    told_apart,
)

# Student's t for 95 %, from a printed table.
T = {2: 12.706, 3: 4.303, 5: 2.776}


@pytest.mark.parametrize(
    ('differences', 'mean', 'deviation'),
    [([1, 3], 2, 2**0.5), ([1, 2, 3], 2, 1), ([0, 0, 5, 10, 10], 5, 5)],
)
def test_by_hand(differences: list[float], mean: float, deviation: float) -> None:
    gain, count = gain_of(differences), len(differences)
    half = T[count] * deviation / count**0.5
    assert gain.mean == pytest.approx(mean)
    assert (gain.low, gain.high) == pytest.approx((mean - half, mean + half), rel=1e-3)


def test_pairs_are_those_of_the_same_seed() -> None:
    # Seeds differ by tens, methods by one: pairing makes the gain significant.
    alone = {0: 10.0, 1: 20.0, 2: 30.0, 7: 99.0}
    gain = paired_gain({2: 31.0, 1: 21.1, 0: 10.9, 8: 0.0}, alone)
    assert gain is not None
    assert gain.pairs == 3
    assert gain.mean == pytest.approx(1.0)
    assert gain.shown
    assert paired_gain({5: 1.0}, alone) is None


def test_verdicts() -> None:
    assert gain_of([1.9, 2.0, 2.1]).verdict == 'gains 2.0 [1.8, 2.2] over three seeds'
    assert gain_of([-1.9, -2.0, -2.1]).verdict.startswith('loses \u22122.0 [\u22122.2,')
    assert gain_of([-1, 0, 2]).verdict.startswith('not shown: 0.3 [\u22123.5, 4.1]')
    assert gain_of([5]).verdict == 'not shown: 5.0 with one seed, which has no interval'


@pytest.mark.parametrize(
    ('differences', 'verdict'),
    [
        # Scores between 0 and 1, an end next to 0, and one value twice.
        ([0.030, 0.031, 0.030], 'gains 0.030 [0.029, 0.032]'),
        ([0.1, 0.9, 0.8], 'not shown: 0.6 [\u22120.5, 1.7]'),
        ([0.72, 0.48, 0.60], 'gains 0.6 [0.3, 0.9]'),
        ([0.84, 0.36, 0.60], 'gains 0.600 [0.004, 1.196]'),
        ([0.86, 0.36, 0.60], 'not shown: 0.61 [\u22120.01, 1.23]'),
        ([52.3 - 50.1, 53.4 - 51.2, 61.7 - 59.5], 'gains 2.2 [2.2, 2.2]'),
        ([0.1 + 0.2 - 0.3, 0.0], 'not shown: 0.0 [0.0, 0.0]'),
        ([0.004], 'not shown: 0.004 with one seed'),
        ([0.0], 'not shown: 0.0 with one seed'),
    ],
)
def test_a_verdict_has_the_digits_that_it_needs(
    differences: list[float], verdict: str
) -> None:
    assert gain_of(differences).verdict.startswith(verdict)


def test_less_may_be_better() -> None:
    gain = paired_gain({0: 1.0, 1: 1.2}, {0: 2.0, 1: 2.1}, less_is_better=True)
    assert gain is not None
    assert gain.mean == pytest.approx(0.95)


def test_equal_scores_show_nothing() -> None:
    assert not gain_of([0.0, 0.0, 0.0]).shown


def test_no_negative_zero() -> None:
    assert number(-0.01) == '0.0'
    assert number(-0.06) == '\u22120.1'


def test_what_differs_is_written_apart() -> None:
    assert told_apart(25.61, 25.52) == ['25.6', '25.5']
    assert told_apart(0.84, 0.81) == ['0.84', '0.81']
    assert told_apart(0.3, 0.1 + 0.2) == ['0.3', '0.3']
    assert told_apart(75.0, 75.0) == ['75.0', '75.0']


def test_mean_and_deviation_of_what_is_there() -> None:
    assert spread([1.0, None, 2.0, 3.0], 1) == '2.0 ± 1.0'
    assert spread([-2.0], 2) == '\u22122.00'
    assert spread([5.0, 5.0], 0) == '5'
    assert spread([None], 1) == NOTHING


def test_a_band_is_of_all_that_came_so_far() -> None:
    """Not all have 15, one is infinite at 20, and only one continues to 40."""
    curves = [
        {10: 1.0, 20: math.inf, 30: 3.0, 40: 9.0},
        {10: 3.0, 15: 8.0, 20: 4.0, 30: 5.0},
        {},
        {10: math.nan},
    ]
    points = [(10, 2.0, 1.0, 3.0), (30, 4.0, 3.0, 5.0), (40, 9.0, 9.0, 9.0)]
    assert band(curves) == points
    assert band([]) == []
