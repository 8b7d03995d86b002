"""The effect of distillation on each class."""

import math
from typing import NamedTuple

import numpy as np

from mmkd.report.seen.look import Asked, Look, changes
from mmkd.spread import number

ENDS = 10
"""Classes shown at each end of a long list; the rest is folded away."""


class Bar(NamedTuple):
    """A network's IoU or accuracy for a class.

    Attributes:
        asked: The network.
        value: In per cent.
        text: The value, formatted.
    """

    asked: Asked
    value: float
    text: str


class ClassRow(NamedTuple):
    """A class.

    Attributes:
        name: The class.
        bars: One per network.
        change: The mean change with distillation, in points; empty if nothing is
            compared.
        folded: Whether the row is in the middle of a long list.
    """

    name: str
    bars: list[Bar]
    change: str
    folded: bool


def class_rows(look: Look, names: list[str]) -> tuple[list[ClassRow], list[str]]:
    """The classes in the sample, sorted by how much distillation helped them.

    If nothing is compared, they are sorted by the first group's IoU or accuracy.

    Args:
        look: The predictions.
        names: Names of the classes.

    Returns:
        The classes, and the names of those that no network ever predicts correctly.
    """
    pairs = look.pairs()
    values = [each.by_class for each in look.asked]
    if pairs:
        order_by = changes(pairs, lambda each: each.by_class)
    else:
        order_by = look.students[0].by_class
    there = [place for place in range(len(names)) if not math.isnan(order_by[place])]
    known = [place for place in there if any(value[place] > 0 for value in values)]
    known.sort(key=lambda place: -order_by[place])
    rows = []
    for row, place in enumerate(known):
        bars = [
            Bar(each, float(value[place]), number(float(value[place])))
            for each, value in zip(look.asked, values, strict=True)
        ]
        folded = len(known) > 2 * ENDS + 4 and ENDS <= row < len(known) - ENDS
        change = signed(float(order_by[place])) if pairs else ''
        rows.append(ClassRow(names[place], bars, change, folded))
    return rows, [names[place] for place in there if place not in known]


def signed(value: float, digits: int = 1) -> str:
    """A difference with its sign."""
    text = number(value, digits)
    return f'+{text}' if float(np.round(value, digits)) > 0 else text
