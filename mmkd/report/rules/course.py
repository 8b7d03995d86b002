"""How the trainings went: too short, too long, interrupted, waiting for data."""

import math
import statistics
from collections.abc import Iterator, Sequence

from mmkd.report.groups import Group
from mmkd.report.rules.advice import Advice, score_name
from mmkd.runs import Run
from mmkd.spread import Point, told_apart

LATE = 0.75
"""The fraction of a training after which a score should hardly change."""

CHANGE = 0.02
"""How much it may change after that, relative to its value."""

WAIT = 0.3
"""The fraction of a step that may be spent waiting for data."""


def course(groups: Sequence[Group], key: str | None) -> Iterator[Advice]:
    """Advice from the curves of scores, losses and times."""
    for group in groups:
        for run in group.runs:
            yield from _broken(group, run, key)
        if key is not None and all(run.finished for run in group.runs):
            yield from _length(group, key)
        waits = [run.waiting for run in group.runs if run.waiting is not None]
        if waits and statistics.median(waits) > WAIT:
            yield Advice(
                'do',
                group.label,
                f'each step spends {100 * statistics.median(waits):.0f} % of its time '
                'waiting for data: use more workers (train_dataloader.num_workers), or '
                'hold the images in memory.',
            )


def _broken(group: Group, run: Run, key: str | None) -> Iterator[Advice]:
    last = None if key is None else run.last(key)
    if key is not None and last is not None and not math.isfinite(last):
        yield Advice(
            'bad',
            group.label,
            f'the last {score_name(key)} of {run.folder} is {last}: it is left out.',
        )
    for step, loss in sorted(run.scalars.train.get('loss', {}).items()):
        if not math.isfinite(loss):
            yield Advice(
                'bad',
                group.label,
                f'the loss of {run.folder} is not finite from iteration {step} on: '
                'lower the learning rate or the weight.',
            )
            return
    if run.not_finite is not None:
        yield Advice(
            'bad',
            group.label,
            f'{run.folder} has ended ({run.not_finite}): lower the learning rate or '
            'the weight.',
        )
    elif not run.finished:
        yield Advice(
            'do',
            group.label,
            f'{run.folder} is incomplete ({run.reached} of {run.length} '
            f'{run.unit}s): unless it is still running, repeat its command with '
            '--resume.',
        )


def _length(group: Group, key: str) -> Iterator[Advice]:
    """Whether the score still improves, or got worse after its best."""
    points = group.band(lambda run: run.score(key))
    if len(points) < 3:
        return
    last = points[-1]
    early = [point for point in points if point.step <= LATE * last.step]
    if not early:
        return
    then = early[-1]
    less = group.first.is_less_better(key)
    best = (min if less else max)(points, key=_mean)
    name, unit = score_name(key), group.first.unit_of_scores
    if best is last and abs(last.mean - then.mean) > CHANGE * abs(last.mean):
        before, end = told_apart(then.mean, last.mean)
        yield Advice(
            'do',
            group.label,
            f'still {"falling" if less else "rising"} at the end ({name} {before} at '
            f'{unit} {then.step}, {end} at {last.step}): train longer.',
        )
    worse = abs(best.mean - last.mean) > CHANGE * abs(best.mean)
    if best.step <= then.step and worse:
        most, end = told_apart(best.mean, last.mean)
        yield Advice(
            'do',
            group.label,
            f'best at {unit} {best.step} ({name} {most}), {end} at the end: train '
            'shorter, or with more augmentation or weight decay.',
        )


def _mean(point: Point) -> float:
    return point.mean
