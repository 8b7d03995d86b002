"""What to do next: sentences that follow from the runs' own numbers."""

from collections.abc import Sequence

from mmkd.report.groups import Group
from mmkd.report.rules.advice import Advice
from mmkd.report.rules.course import course
from mmkd.report.rules.gains import gains
from mmkd.report.rules.gradients import gradients
from mmkd.report.rules.teacher import teacher

__all__ = ['Advice', 'advice']


def advice(groups: Sequence[Group], key: str | None) -> list[Advice]:
    """All that can be derived from the logs of the runs.

    Args:
        groups: All that are on the page.
        key: The score that leads; None where no run has one.
    """
    rules = (gains, teacher, gradients, course)
    return [each for rule in rules for each in rule(groups, key)]
