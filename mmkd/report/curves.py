"""The charts of the logged values, in order."""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from markupsafe import Markup

from mmkd.report.charts import Level, Line, chart
from mmkd.report.groups import Group
from mmkd.report.rules.advice import score_name
from mmkd.report.rules.teacher import teacher_score
from mmkd.runs import Curve, Run
from mmkd.runs.scores import is_score


class Figure(NamedTuple):
    """A chart with its heading.

    Attributes:
        name: The value's name.
        svg: The chart.
        labels: Labels of the groups that have it.
    """

    name: str
    svg: Markup
    labels: list[str]


class Section(NamedTuple):
    """Charts of one kind.

    Attributes:
        title: Their heading.
        figures: The charts.
    """

    title: str
    figures: list[Figure]


def sections(groups: Sequence[Group], key: str | None) -> list[Section]:
    """Draw the logged values.

    Args:
        groups: All groups on the page.
        key: The main score, drawn first.
    """
    found = [
        Section('Scores', [*_scores(groups, key)]),
        Section('Losses', [*_of_training(groups, lambda name: 'loss' in name)]),
        Section('Learning rate', [*_of_training(groups, lambda name: name == 'lr')]),
        Section('Gradients and geometry', [*_geometry(groups)]),
    ]
    return [section for section in found if section.figures]


def _scores(groups: Sequence[Group], key: str | None) -> Iterator[Figure]:
    names = _names(groups, lambda run: run.scalars.val)
    for name in sorted(filter(is_score, names), key=lambda name: name != key):
        levels = []
        for group in groups:
            found = teacher_score(group, name)
            if found is not None:
                levels = [Level(f'teacher: {found.score:.4g}', found.score)]
        yield from _figure(groups, name, partial(_val, name), levels)


def _of_training(
    groups: Sequence[Group], wanted: Callable[[str], bool]
) -> Iterator[Figure]:
    for name in _names(groups, lambda run: run.scalars.train):
        if wanted(name):
            yield from _figure(groups, name, partial(_train, name))


def _geometry(groups: Sequence[Group]) -> Iterator[Figure]:
    yield from _of_training(groups, lambda name: name.startswith('grad_'))
    for name in _names(groups, lambda run: run.scalars.val):
        if name.startswith('collapse_'):
            yield from _figure(groups, name, partial(_val, name))


def _names(
    groups: Sequence[Group], curves: Callable[[Run], dict[str, Curve]]
) -> list[str]:
    runs = [run for group in groups for run in group.runs]
    return list(dict.fromkeys(name for run in runs for name in curves(run)))


def _val(name: str, run: Run) -> Curve:
    return run.scalars.val.get(name, {})


def _train(name: str, run: Run) -> Curve:
    return run.scalars.train.get(name, {})


def _figure(
    groups: Sequence[Group],
    name: str,
    curve: Callable[[Run], Curve],
    levels: Sequence[Level] = (),
) -> Iterator[Figure]:
    bands = [(group, group.band(curve)) for group in groups]
    there = [(group, points) for group, points in bands if points]
    if not there:
        return
    lines = [Line(group.label, group.number, points) for group, points in there]
    of_val = any(name in run.scalars.val for group in groups for run in group.runs)
    unit = there[0][0].first.unit if of_val else 'iteration'
    signed = name.startswith('grad_cos') or of_val
    levels = [level for level in levels if math.isfinite(level.value)]
    drawn = chart(score_name(name), unit, lines, levels, logarithmic=not signed)
    yield Figure(score_name(name), drawn, [line.label for line in lines])
