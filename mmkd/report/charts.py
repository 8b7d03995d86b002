"""Curves with bands, as SVG that takes its colours from the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmkd.report.axes import axis_of, short
from mmkd.spread import Point

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 8, 8, 34

MOST_POINTS = 160
"""Of a line: more are not seen at this size, and make the page large."""

MANY_RUNGS = 20
"""Ratio of the highest to the lowest value from which steps are seen in a logarithm."""


@dataclass(frozen=True)
class Line:
    """What a chart shows of one group.

    Attributes:
        label: The group's.
        style: Its number, by which it has its colour and dashes.
        points: Its values.
    """

    label: str
    style: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Level:
    """A value that does not change, drawn across the chart.

    Attributes:
        label: What it is.
        value: The value.
    """

    label: str
    value: float


def chart(
    name: str,
    unit: str,
    lines: Sequence[Line],
    levels: Sequence[Level] = (),
    logarithmic: bool = False,
) -> Markup:
    """Draw a value over the training.

    Args:
        name: What the value is called.
        unit: What its steps are.
        lines: Each with one point at least.
        levels: Values to draw across.
        logarithmic: Whether a wide range of values is drawn by its logarithm.
    """
    lines = [Line(e.label, e.style, thinned(e.points)) for e in lines]
    points = [point for line in lines for point in line.points]
    values = [value for point in points for value in (point.low, point.high)]
    values += [level.value for level in levels]
    wide = logarithmic and min(values) > 0 and max(values) > MANY_RUNGS * min(values)
    x = axis_of([point.step for point in points], LEFT, WIDTH - RIGHT)
    y = axis_of(values, HEIGHT - BOTTOM, TOP, wide)
    parts = [
        Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{} by {}">').format(
            WIDTH, HEIGHT, name, unit
        )
    ]
    for value in y.ticks():
        place = y.place(value)
        parts.append(
            Markup('<path class="grid" d="M{} {}H{}"/>').format(
                LEFT, place, WIDTH - RIGHT
            )
        )
        parts.append(_text(LEFT - 5, place + 4, short(value), 'end'))
    for value in x.ticks():
        if value >= 0:
            parts.append(_text(x.place(value), HEIGHT - BOTTOM + 15, short(value)))
    parts.append(_text((LEFT + WIDTH) / 2, HEIGHT - 4, unit))
    for level in levels:
        parts.append(
            Markup('<path class="level" d="M{} {}H{}"><title>{}</title></path>').format(
                LEFT, y.place(level.value), WIDTH - RIGHT, level.label
            )
        )
        # Under the line, where there is room for it.
        beside = max(y.place(level.value) + 13, TOP + 20)
        parts.append(_text(WIDTH - RIGHT, beside, level.label, 'end'))
    for line in lines:
        upper = [f'{x.place(p.step)} {y.place(p.high)}' for p in line.points]
        lower = [f'{x.place(p.step)} {y.place(p.low)}' for p in reversed(line.points)]
        middle = [f'{x.place(p.step)} {y.place(p.mean)}' for p in line.points]
        if upper != lower[::-1]:
            parts.append(
                Markup('<path class="band {}" d="M{}Z"/>').format(
                    style_class(line.style), 'L'.join(upper + lower)
                )
            )
        last = line.points[-1]
        parts.append(
            Markup(
                '<path class="line {}{}" d="M{}"><title>{}: {} at {} {}</title></path>'
            ).format(
                style_class(line.style),
                # A single point is a stroke of no length, which round caps show.
                ' dot' if len(middle) == 1 else '',
                'L'.join(middle if len(middle) > 1 else middle * 2),
                line.label,
                short(last.mean),
                unit,
                last.step,
            )
        )
    parts.append(Markup('</svg>'))
    return Markup('').join(parts)


STYLES = 8
DASHES = 4
"""Colours and dashes there are: a group has one of each."""


def style_class(number: int) -> str:
    """The class by which the page gives a group its colour and dashes."""
    return f'c{number % STYLES} d{(number + number // STYLES) % DASHES}'


def thinned(points: Sequence[Point]) -> list[Point]:
    """Evenly spread points with the first and the last."""
    if len(points) <= MOST_POINTS:
        return list(points)
    spread = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(number * spread)] for number in range(MOST_POINTS)]


def _text(x: float, y: float, text: str, anchor: str = 'middle') -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )
