"""What to do next: advice that follows from the logged numbers."""

from collections.abc import Sequence

from mmkd.report.groups import Group
from mmkd.report.rules.advice import Advice
from mmkd.report.rules.course import course
from mmkd.report.rules.gains import gains
from mmkd.report.rules.gradients import gradients
from mmkd.report.rules.teacher import teacher

__all__ = ['Advice', 'advice']


def advice(groups: Sequence[Group], key: str | None) -> list[Advice]:
    """All advice that follows from the logs of the runs.

    Args:
        groups: All groups on the page.
        key: The main score; None if no run has one.
    """
    rules = (gains, teacher, gradients, course)
    return [each for rule in rules for each in rule(groups, key)]
