"""Predictions of all runs on the same images."""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mmkd.models.tasks import Task
from mmkd.report.groups import Group, baseline_of
from mmkd.report.seen.answers import Answers, ask
from mmkd.report.seen.networks import Network, student_of, teacher_of
from mmkd.report.seen.sample import Sample, read_sample
from mmkd.runs import Run

DEFAULT = {'pixels': 40, 'images': 2000}
"""How many images to run on, by what is classified in them."""

TEACHER = 'teacher'


@dataclass
class Asked:
    """Networks of one group, or the teacher, and their predictions.

    Attributes:
        label: Their name.
        group: Their group; None for the teacher.
        answers: The predictions of each.
    """

    label: str
    group: Group | None
    answers: list[Answers] = field(default_factory=list)

    @property
    def by_class(self) -> np.ndarray:
        """IoU or accuracy per class, the mean over networks."""
        return np.mean([each.by_class for each in self.answers], axis=0)

    @property
    def score(self) -> float:
        """The score on the sample, the mean over networks."""
        return statistics.fmean(each.tally.score for each in self.answers)

    @property
    def first(self) -> Answers:
        """The predictions of the first network."""
        return self.answers[0]


@dataclass
class Look:
    """All predictions.

    Attributes:
        notes: What could not be run, and why.
        asked: The teacher, if it could be run, and then the groups.
        sample: The images; None if nothing could be run.
        task: What is classified; likewise.
    """

    notes: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    sample: Sample | None = None
    task: Task | None = None

    @property
    def students(self) -> list[Asked]:
        """All but the teacher."""
        return [each for each in self.asked if each.group is not None]

    def pairs(self) -> list[tuple[Asked, Asked]]:
        """Each distillation, preceded by the student alone that it is compared with."""
        groups = [each.group for each in self.asked if each.group is not None]
        by_number = {each.group.number: each for each in self.asked if each.group}
        found = []
        for group in groups:
            baseline = baseline_of(group, groups)
            if baseline is not None:
                found.append((by_number[baseline.number], by_number[group.number]))
        return found


def look(groups: Sequence[Group], count: int | None) -> Look:
    """Run every student, and one teacher, on the same validation images.

    Failures are noted, and the rest goes on.

    Args:
        groups: All groups on the page.
        count: How many images; None for the task's default.
    """
    found = Look()
    samples: dict[str, Sample] = {}
    for group in groups:
        asked = Asked(group.label, group)
        for run in group.runs:
            try:
                first = not asked.answers
                asked.answers.append(_ask(run, found, samples, count, first))
            except Exception as error:
                # Data and models are the user's, and may raise anything.
                found.notes.append(f'{run.folder}: {_in_a_line(error)}')
        if asked.answers:
            found.asked.append(asked)
    return found


def _ask(
    run: Run, found: Look, samples: dict[str, Sample], count: int | None, first: bool
) -> Answers:
    """Run a student, and its teacher if it is the first of its group."""
    student = student_of(run)
    loader: Mapping[str, Any] = run.settings.get('val_dataloader') or {}
    name = json.dumps(loader.get('dataset'), default=str, sort_keys=True)
    if name not in samples:
        images = DEFAULT[student.task.classified] if count is None else count
        samples[name] = read_sample(run.settings, images)
    sample = samples[name]
    answers = ask(student, sample)
    if not answers.tally.counts.any():
        raise ValueError('its validation images have no labels')
    if found.asked and not _of_the_same(answers, found.asked[0].first):
        raise ValueError('its validation images or classes differ from other runs')
    if found.sample is None:
        found.sample, found.task = sample, student.task
    if first and run.methods is not None and all(each.group for each in found.asked):
        _ask_teacher(run, student, found, sample)
    return answers


def _ask_teacher(run: Run, student: Network, found: Look, sample: Sample) -> None:
    """Run one teacher, for all students."""
    try:
        teacher = teacher_of(run, student, sample.classes(student.num_classes))
        answers = ask(teacher, sample)
    except Exception as error:
        # As for the student.
        note = f'The teacher of {run.folder}: {_in_a_line(error)}'
        found.notes.append(note)
        return
    found.asked.insert(0, Asked(TEACHER, None, [answers]))


def _of_the_same(answers: Answers, others: Answers) -> bool:
    own, other = (each.tally.counts.sum(1) for each in (answers, others))
    return own.shape == other.shape and bool((own == other).all())


def _in_a_line(error: Exception) -> str:
    text = ' '.join(str(error).split())
    return text if isinstance(error, OSError) else f'{type(error).__name__}: {text}'


def changes(pairs: Sequence[tuple[Asked, Asked]], of: Callable[[Asked], Any]) -> Any:
    """How much distillation changes a quantity, the mean over all pairs."""
    return np.mean([of(taught) - of(alone) for alone, taught in pairs], axis=0)
