"""Groups of runs that differ only in the seed."""

import math
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmkd.report.labels import labels_of
from mmkd.report.settings import backbone_of, data_of, differing, settings_of
from mmkd.runs import Curve, Run
from mmkd.runs.scores import SCORES, best_by, is_score
from mmkd.spread import Point, band


@dataclass
class Group:
    """Runs with the same settings.

    Attributes:
        runs: The runs, sorted by seed.
        label: Its name.
        number: Its position on the page, which selects its colour.
    """

    runs: list[Run]
    label: str = ''
    number: int = 0

    @property
    def first(self) -> Run:
        """The run that represents the group's settings."""
        return self.runs[0]

    @property
    def alone(self) -> bool:
        """Whether its student trains without a teacher."""
        return self.first.methods is None

    def band(self, curve: Callable[[Run], Curve]) -> list[Point]:
        """Mean, lowest and highest value of the runs, step by step."""
        return band(map(curve, self.runs))

    @property
    def finished(self) -> list[Run]:
        """The completed runs."""
        return [run for run in self.runs if run.finished]

    def scores(self, key: str) -> dict[int, float]:
        """The last score of each seed, averaged over runs with the same seed.

        Incomplete runs and runs without a seed or a finite last score are omitted.
        """
        by_seed: dict[int, list[float]] = {}
        for run in self.finished:
            last = run.last(key)
            if last is not None and math.isfinite(last) and run.seed is not None:
                by_seed.setdefault(run.seed, []).append(last)
        return {seed: statistics.fmean(v) for seed, v in sorted(by_seed.items())}


def finite(curve: Curve) -> Curve:
    """A curve without its non-finite values."""
    return {step: value for step, value in curve.items() if math.isfinite(value)}


def group_runs(runs: Sequence[Run]) -> list[Group]:
    """Group runs with the same settings, students alone first."""
    groups: list[Group] = []
    for run in runs:
        own = settings_of(run)
        # A run without a config matches no other.
        known = [g for g in groups if own and settings_of(g.first) == own]
        if known:
            known[0].runs.append(run)
        else:
            groups.append(Group([run]))
    groups.sort(key=lambda group: not group.alone)
    labels = labels_of([group.first for group in groups])
    for number, (group, label) in enumerate(zip(groups, labels, strict=True)):
        group.number, group.label = number, label
        group.runs.sort(key=lambda run: (run.seed is None, run.seed or 0))
    return groups


def baseline_of(group: Group, groups: Sequence[Group]) -> Group | None:
    """The student alone that a distillation is compared with: the most similar one.

    Returns:
        None for a student alone, or if no student alone has the same backbone, data
        and classes.
    """
    if group.alone:
        return None
    own = (backbone_of(group.first), data_of(group.first))
    alone = [
        other
        for other in groups
        if other.alone and (backbone_of(other.first), data_of(other.first)) == own
    ]
    return min(
        alone,
        key=lambda other: len(differing([other.first, group.first])),
        default=None,
    )


def score_key(
    runs: Sequence[Run], settings: Mapping[str, Any] | None = None
) -> str | None:
    """The main score of the page; None if no run has any.

    It is one that the runs save their best checkpoints by, or else a usual one.

    Args:
        runs: The runs.
        settings: A config to name it in place of theirs.
    """
    keys = Counter(key for run in runs for key in run.scalars.val if is_score(key))
    configs = [run.settings for run in runs] if settings is None else [settings]
    named = [key for config in configs for key in best_by(config)]
    known = [key for key in (*named, *SCORES) if key in keys]
    return known[0] if known else next(iter(keys), None)
