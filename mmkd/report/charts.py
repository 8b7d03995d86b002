"""Curves with bands, as SVG that the page's CSS colours."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmkd.report.axes import axis_of, short
from mmkd.spread import Point

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 54, 8, 8, 34

MOST_POINTS = 160
"""Maximum per line: more are invisible at this size and bloat the page."""

MANY_RUNGS = 20
"""Ratio of the highest to the lowest value above which an axis may be logarithmic."""


@dataclass(frozen=True)
class Line:
    """The curve of one group.

    Attributes:
        label: The group's label.
        style: The group's number, which selects colour and dashes.
        points: Mean and range at each step.
    """

    label: str
    style: int
    points: Sequence[Point]


@dataclass(frozen=True)
class Level:
    """A constant, drawn across the chart.

    Attributes:
        label: Its name.
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
    """Draw a value over the course of training.

    Args:
        name: The value's name.
        unit: The unit of its steps.
        lines: Each with at least one point.
        levels: Constants to draw.
        logarithmic: Whether to draw a wide range of values on a log axis.
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
        # Below the line, where there is room.
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
                # A single point is a stroke of zero length, visible by its round caps.
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
"""Numbers of colours and dash patterns: a group has one of each."""


def style_class(number: int) -> str:
    """The CSS classes that set a group's colour and dashes."""
    return f'c{number % STYLES} d{(number + number // STYLES) % DASHES}'


def thinned(points: Sequence[Point]) -> list[Point]:
    """Evenly spread points, including the first and the last."""
    if len(points) <= MOST_POINTS:
        return list(points)
    spread = (len(points) - 1) / (MOST_POINTS - 1)
    return [points[round(number * spread)] for number in range(MOST_POINTS)]


def _text(x: float, y: float, text: str, anchor: str = 'middle') -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(
        x, y, anchor, text
    )
