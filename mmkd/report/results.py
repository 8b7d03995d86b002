"""The table of results: scores with their spread, time and cost."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from mmkd.report.groups import Group
from mmkd.report.rules.gains import gain_over_baseline
from mmkd.report.rules.teacher import teacher_score
from mmkd.runs import Run
from mmkd.spread import NOTHING, number, spread


class GroupRow(NamedTuple):
    """A group's results, formatted.

    Attributes:
        group: The group.
        runs: How many there are, or how many of them are complete.
        last: Mean and standard deviation of the last scores, over the completed runs
            or, if there are none, over all.
        best: The same for the best scores.
        gain: Gain over the student alone, with its interval.
        teacher: The teacher's score, and on how many images.
        iterations: Per run.
        step: Milliseconds per step.
        minutes: Per run.
        memory: In megabytes.
    """

    group: Group
    runs: str
    last: str
    best: str
    gain: str
    teacher: str
    iterations: str
    step: str
    minutes: str
    memory: str


class RunRow(NamedTuple):
    """A run's results, formatted."""

    folder: str
    group: Group
    seed: str
    last: str
    best: str
    minutes: str
    state: str


def group_rows(groups: Sequence[Group], key: str | None) -> list[GroupRow]:
    """The results of all groups."""
    return [_group_row(group, groups, key) for group in groups]


def _group_row(group: Group, groups: Sequence[Group], key: str | None) -> GroupRow:
    runs = group.finished or group.runs
    whole = len(group.finished) == len(group.runs)
    gain = gain_over_baseline(group, groups, key) if key else None
    taught = teacher_score(group, key) if key else None
    return GroupRow(
        group,
        str(len(runs)) if whole else f'{len(group.finished)} of {len(group.runs)}',
        spread(_ends(runs, key, best=False), 2),
        spread(_ends(runs, key, best=True), 2),
        NOTHING if gain is None else gain.numbers,
        f'{number(taught.score)} ({taught.images})' if taught else NOTHING,
        spread((run.iterations for run in runs), 0),
        spread((run.step_ms for run in runs), 0),
        spread((run.minutes for run in runs), 1),
        spread((run.memory for run in runs), 0),
    )


def run_rows(groups: Sequence[Group], key: str | None) -> list[RunRow]:
    """The results of each run."""
    return [
        RunRow(
            str(run.folder),
            group,
            NOTHING if run.seed is None else str(run.seed),
            spread(_ends([run], key, best=False), 2),
            spread(_ends([run], key, best=True), 2),
            spread([run.minutes], 1),
            _state(run),
        )
        for group in groups
        for run in group.runs
    ]


def _ends(runs: Sequence[Run], key: str | None, best: bool) -> list[float]:
    if key is None:
        return []
    ends = [run.best(key) if best else run.last(key) for run in runs]
    return [end for end in ends if end is not None and math.isfinite(end)]


def _state(run: Run) -> str:
    if run.finished:
        return 'finished'
    return f'{run.unit} {run.reached} of {run.length}'
