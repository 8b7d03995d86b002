"""Whether the teacher has something to teach."""

import math
import statistics
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mmkd.report.groups import Group, baseline_of
from mmkd.report.rules.advice import Advice, score_name
from mmkd.runs.scores import SCORES
from mmkd.spread import number

ENOUGH = 1.0
"""Points that a teacher should be ahead of its student."""


class TeacherScore(NamedTuple):
    """The score that :class:`mmkd.engine.hooks.CheckTeacherHook` logged.

    Attributes:
        score: In per cent.
        images: How many the sample has.
        half: Half the 95 % interval of top-1 accuracy; None for other scores.
    """

    score: float
    images: int
    half: float | None


def teacher_score(group: Group, key: str) -> TeacherScore | None:
    """The teacher's score, from the first run that logged it."""
    for run in group.runs:
        scores = run.score(f'teacher/{key}')
        images = run.score('teacher/images')
        if scores and images:
            score, count = scores[min(scores)], int(images[min(images)])
            share = min(max(score / 100, 0), 1)
            half = 196 * math.sqrt(share * (1 - share) / max(count, 1))
            of_a_share = key == 'accuracy/top1'
            return TeacherScore(score, count, half if of_a_share else None)
    return None


def teacher(groups: Sequence[Group], key: str | None) -> Iterator[Advice]:
    """Advise a better teacher if it is hardly above its student."""
    for group in groups:
        found = teacher_score(group, key) if key else None
        baseline = baseline_of(group, groups)
        scores = (baseline or group).scores(key) if key else {}
        if key not in SCORES or found is None or not scores:
            continue  # of other scores it is not known what a point is
        student = statistics.fmean(scores.values())
        ahead = found.score - student
        if ahead >= ENOUGH:
            continue
        half = '' if found.half is None else f' ± {number(found.half)}'
        where = f'{abs(ahead):.1f} points {"above" if ahead >= 0 else "below"}'
        who = 'the student alone' if baseline else 'its student'
        yield Advice(
            'do',
            group.label,
            f'the teacher ({score_name(key)} {number(found.score)}{half} on '
            f'{found.images} validation images) is {where} {who} '
            f'({number(student)}): get a better teacher first.',
        )
