"""Runs that differ in their seed alone, and what sets the others apart."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from mmkd.checkpoints.identity import without
from mmkd.resilience.work_dir import BESIDE_THE_POINT, PARTS
from mmkd.runs import Curve, Run

ALONE = 'student alone'
SCORES = ('mIoU', 'accuracy/top1', 'multi-label/mAP')
"""The score that leads, where there are several."""

NO_SCORES = ('time', 'data_time')
CONSTRUCTOR = 'optim_wrapper.constructor'
BESIDE_A_GROUP = (*BESIDE_THE_POINT, 'seed')
"""What runs of one group may differ in."""


MOST_LETTERS = 20
"""Of a setting that stands in a group's name."""


class Point(NamedTuple):
    """Values of several runs at one step.

    Attributes:
        step: An iteration or epoch.
        mean: Of the values.
        low: The lowest.
        high: The highest.
    """

    step: int
    mean: float
    low: float
    high: float


@dataclass
class Group:
    """Runs of the same settings.

    Attributes:
        runs: The runs, by seed.
        label: What it is called.
        number: Its place on the page, by which it has its colour.
    """

    runs: list[Run]
    label: str = ''
    number: int = 0

    @property
    def first(self) -> Run:
        """One that stands for its settings."""
        return self.runs[0]

    @property
    def alone(self) -> bool:
        """Whether it is a student without a teacher."""
        return self.first.methods is None

    def band(self, curve: Callable[[Run], Curve]) -> list[Point]:
        """A value over the training: mean, lowest and highest of the runs.

        At a step that not all runs have which came so far there is no point.
        """
        curves = [finite(curve(run)) for run in self.runs]
        curves = [each for each in curves if each]
        ends = [max(each) for each in curves]
        points = []
        for step in sorted({step for each in curves for step in each}):
            going = [c for c, end in zip(curves, ends, strict=True) if end >= step]
            if all(step in each for each in going):
                values = [each[step] for each in going]
                mean = statistics.fmean(values)
                points.append(Point(step, mean, min(values), max(values)))
        return points

    def scores(self, key: str, best: bool = False) -> dict[int, float]:
        """The last or best score of each seed; runs of one seed count once.

        Runs without a seed, or without a score, are left out.
        """
        by_seed: dict[int, list[float]] = {}
        for run in self.runs:
            curve = finite(run.score(key))
            if curve and run.seed is not None:
                value = max(curve.values()) if best else curve[max(curve)]
                by_seed.setdefault(run.seed, []).append(value)
        return {seed: statistics.fmean(v) for seed, v in sorted(by_seed.items())}


def finite(curve: Curve) -> Curve:
    """A curve without what is no number."""
    return {step: value for step, value in curve.items() if math.isfinite(value)}


def settings_of(run: Run) -> dict[str, Any]:
    """What makes a run's experiment, whatever its seed, by dotted names.

    A student has the same names alone and in a distillation.
    """
    parts = {part: without(run.settings.get(part), BESIDE_A_GROUP) for part in PARTS}
    model = parts.pop('model')
    if isinstance(model, dict):
        parts['student'] = model.pop('student', model)
        if run.methods is not None:
            parts |= {key: value for key, value in model.items() if key != 'type'}
    settings = dict(_flat(parts, ''))
    if str(settings.get(CONSTRUCTOR)).startswith('mmkd.'):
        # The tools set it for a distillation.
        settings.pop(CONSTRUCTOR)
    return settings


def _flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    holds_dicts = isinstance(value, list) and any(isinstance(v, dict) for v in value)
    inner = dict(enumerate(value)) if holds_dicts else value
    if isinstance(inner, dict) and inner:
        for key, each in inner.items():
            yield from _flat(each, f'{place}.{key}' if place else str(key))
    elif value is not None:
        yield place, value


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Put runs of the same settings together, students alone first."""
    groups: list[Group] = []
    for run in runs:
        own = settings_of(run)
        # One whose config is not there is like no other.
        known = [g for g in groups if own and settings_of(g.first) == own]
        if known:
            known[0].runs.append(run)
        else:
            groups.append(Group([run]))
    groups.sort(key=lambda group: not group.alone)
    _name(groups)
    for number, group in enumerate(groups):
        group.number = number
        group.runs.sort(key=lambda run: (run.seed is None, run.seed or 0))
    return groups


def baseline_of(group: Group, groups: Sequence[Group]) -> Group | None:
    """The student alone that a distillation is compared with: the likest of its kind.

    Returns:
        None for a student alone, or where there is none of the same backbone.
    """
    if group.alone:
        return None
    alone = [
        other
        for other in groups
        if other.alone and _backbone(other.first) == _backbone(group.first)
    ]
    return min(alone, key=lambda other: _distance(other, group), default=None)


def score_key(runs: Sequence[Run]) -> str | None:
    """The score that leads on the page; None where no run has any."""
    keys = Counter(
        key
        for run in runs
        for key in run.scalars.val
        if key not in NO_SCORES and not key.startswith(('teacher/', 'collapse_'))
    )
    known = [key for key in SCORES if key in keys]
    return known[0] if known else next(iter(keys), None)


def differing(groups: Sequence[Group]) -> dict[str, list[Any]]:
    """The settings in which groups differ, and what each has; None where it has not."""
    own = [settings_of(group.first) for group in groups]
    places = dict.fromkeys(place for settings in own for place in settings)
    found = {place: [settings.get(place) for settings in own] for place in places}
    return {
        place: values
        for place, values in found.items()
        if any(value != values[0] for value in values)
    }


def _backbone(run: Run) -> Any:
    return without(run.student.get('backbone'), ('init_cfg',))


def _distance(one: Group, other: Group) -> int:
    return len(differing([one, other]))


def _name(groups: list[Group]) -> None:
    """By their methods; by settings or folders too where these are the same."""
    taught = [group for group in groups if not group.alone]
    for group in groups:
        methods = group.first.methods
        group.label = ALONE if methods is None else ' + '.join(methods) or 'no method'
        kin = [_backbone(other.first) == _backbone(group.first) for other in taught]
        if not group.first.settings or (group.alone and taught and not any(kin)):
            group.label = group.first.folder.name
    counts = Counter(group.label for group in groups)
    for label in [label for label, count in counts.items() if count > 1]:
        alike = [group for group in groups if group.label == label]
        labels = [f'{label} ({short})' for short in _short(alike)]
        if len(set(labels)) < len(labels):
            labels = [group.first.folder.name for group in alike]
        for group, name in zip(alike, labels, strict=True):
            group.label = name


def _short(groups: list[Group]) -> list[str]:
    """The first two settings in which groups differ, in a few words each."""
    texts: list[list[str]] = [[] for _ in groups]
    places = [
        (place, values)
        for place, values in differing(groups).items()
        if all(len(str(value)) <= MOST_LETTERS for value in values)
    ]
    for place, values in places[:2]:
        name = '.'.join(place.split('.')[-2:])
        for text, value in zip(texts, values, strict=True):
            text.append(f'{name}={value}')
    return [', '.join(text) for text in texts]
