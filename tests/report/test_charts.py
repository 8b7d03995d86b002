import re
from itertools import pairwise

import pytest

from mmkd.report.axes import axis_of, short
from mmkd.report.charts import (
    HEIGHT,
    MOST_POINTS,
    WIDTH,
    Level,
    Line,
    chart,
    style_class,
    thinned,
)
from mmkd.spread import Point


@pytest.mark.parametrize(
    ('low', 'high'), [(0, 1), (-3, 7), (1e-6, 2e-6), (99, 101), (0, 160000), (5, 5)]
)
def test_ticks_are_round_and_inside(low: float, high: float) -> None:
    axis = axis_of([low, high], 0, 100)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 8
    assert all(0 <= axis.place(tick) <= 100 for tick in ticks)
    # No two labels are the same.
    assert len({short(tick) for tick in ticks}) == len(ticks)


def test_a_logarithm_has_equal_lengths_for_equal_ratios() -> None:
    axis = axis_of([0.001, 1], 0, 300, logarithmic=True)
    places = [axis.place(value) for value in (0.001, 0.01, 0.1, 1)]
    steps = [b - a for a, b in pairwise(places)]
    assert steps == pytest.approx([steps[0]] * 3, abs=0.2)
    assert axis.ticks() == pytest.approx([0.001, 0.01, 0.1, 1])


def test_what_is_not_positive_has_no_logarithm() -> None:
    assert not axis_of([0, 1], 0, 100, logarithmic=True).logarithmic


def test_numbers_beside_an_axis() -> None:
    whole = (1000, 9999.9, 10000, 12500, -20000, 99999)
    assert [short(value) for value in whole] == [
        *('1000', '10000', '10000', '12500', '\u221220000', '99999'),
    ]
    texts = [short(v) for v in (0, 0.25, 1200, 250000, 5e-5, -1e-5)]
    assert texts == ['0', '0.25', '1200', '2.5e5', '5e-5'.replace('-', '\u2212'), (
        '\u22121e\u22125'
    )]


def test_everything_lies_inside_of_the_chart() -> None:
    points = [Point(step, step**2, step, step**2 + 9) for step in range(0, 1000, 10)]
    svg = chart('a<b', 'epoch', [Line('x&y', 3, points)], [Level('t', -50.0)])
    assert 'a&lt;b' in svg
    assert 'x&amp;y' in svg
    numbers = re.findall(r'(?<=[ML])([\d.]+) ([\d.]+)', svg)
    assert all(0 <= float(x) <= WIDTH and 0 <= float(y) <= HEIGHT for x, y in numbers)


def test_one_run_has_no_band_and_one_point_is_seen() -> None:
    svg = chart('a', 'epoch', [Line('x', 0, [Point(5, 1.0, 1.0, 1.0)])])
    assert 'class="band' not in svg
    assert re.search(r'class="line c0 d0 dot" d="M([\d. ]+)L\1"', svg)


def test_a_long_line_is_thinned_with_its_ends() -> None:
    points = [Point(step, 0.0, 0.0, 0.0) for step in range(5000)]
    thin = thinned(points)
    assert len(thin) == MOST_POINTS
    assert (thin[0], thin[-1]) == (points[0], points[-1])
    assert thinned(points[:9]) == points[:9]


def test_groups_are_told_apart_by_colour_and_dashes() -> None:
    assert len({style_class(number) for number in range(32)}) == 32
    neighbours = [style_class(n).split() for n in range(8)]
    assert len({colour for colour, _ in neighbours}) == 8
