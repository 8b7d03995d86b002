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
        yield from _of_validation(groups, name)


def _of_training(
    groups: Sequence[Group], wanted: Callable[[str], bool]
) -> Iterator[Figure]:
    for name in _names(groups, lambda run: run.scalars.train):
        if wanted(name):
            lines = _lines(groups, partial(_train, name))
            signed = name.startswith('grad_cos')
            yield from _figure(name, 'iteration', lines, logarithmic=not signed)


def _geometry(groups: Sequence[Group]) -> Iterator[Figure]:
    yield from _of_training(groups, lambda name: name.startswith('grad_'))
    for name in _names(groups, lambda run: run.scalars.val):
        if name.startswith('collapse_'):
            yield from _of_validation(groups, name)


def _of_validation(groups: Sequence[Group], name: str) -> Iterator[Figure]:
    """A chart for the groups that count epochs, and one for those with iterations."""
    for unit in dict.fromkeys(group.first.unit_of_scores for group in groups):
        own = [group for group in groups if group.first.unit_of_scores == unit]
        lines = _lines(own, partial(Run.score, key=name))
        yield from _figure(name, unit, lines, _teachers(own, name))


def _teachers(groups: Sequence[Group], name: str) -> list[Level]:
    """The scores of all teachers, the same one once."""
    found = filter(None, (teacher_score(group, name) for group in groups))
    scores = [each.score for each in found if math.isfinite(each.score)]
    labels = {f'teacher: {score:.4g}': score for score in scores}
    return [Level(label, score) for label, score in labels.items()]


def _names(
    groups: Sequence[Group], curves: Callable[[Run], dict[str, Curve]]
) -> list[str]:
    runs = [run for group in groups for run in group.runs]
    return list(dict.fromkeys(name for run in runs for name in curves(run)))


def _train(name: str, run: Run) -> Curve:
    return run.scalars.train.get(name, {})


def _lines(groups: Sequence[Group], curve: Callable[[Run], Curve]) -> list[Line]:
    bands = [(group, group.band(curve)) for group in groups]
    return [Line(each.label, each.number, points) for each, points in bands if points]


def _figure(
    name: str,
    unit: str,
    lines: Sequence[Line],
    levels: Sequence[Level] = (),
    logarithmic: bool = False,
) -> Iterator[Figure]:
    if lines:
        drawn = chart(score_name(name), unit, lines, levels, logarithmic)
        yield Figure(score_name(name), drawn, [line.label for line in lines])
