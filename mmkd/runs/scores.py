"""Scores in logs: their names, and which of two is better."""

from collections.abc import Mapping
from typing import Any

from mmkd.checks.scores import watched

SCORES = (
    'mIoU',
    'mDice',
    'mFscore',
    'accuracy/top1',
    'multi-label/mAP',
    'single-label/f1-score',
)
"""Main scores, in order of preference if there are several."""

GREATER = ('acc', 'top', 'ar@', 'auc', 'precision', 'map', 'mdice', 'miou')
LESS = ('loss',)
"""Parts of names of scores by which MMEngine's ``CheckpointHook`` tells whether
greater or less is better, in lower case."""

NO_SCORES = ('time', 'data_time')
"""What MMEngine logs for a validation besides its scores."""

OF_HOOKS = ('teacher/', 'collapse_')
"""Prefixes of what mmkd's hooks log for a validation besides the student's scores."""


def is_score(name: str) -> bool:
    """Whether a value logged by validation is a score of the student.

    Args:
        name: Its name in the log.
    """
    return name not in NO_SCORES and not name.startswith(OF_HOOKS)


def watched_in(settings: Mapping[str, Any]) -> dict[str, str | None]:
    """The rules of the scores that a config names, ``'greater'`` or ``'less'`` or None.

    Args:
        settings: The config of a training.
    """
    named: dict[str, str | None] = {}
    for _, name, rule in watched(settings):
        named[name] = named.get(name) or rule
    return named


def rule_of(name: str, settings: Mapping[str, Any]) -> str | None:
    """Whether ``'greater'`` or ``'less'`` is better, as MMEngine decides it.

    Args:
        name: The name of a score.
        settings: The config of its training: a hook's ``rule`` for it counts first.

    Returns:
        None if neither the config nor the name tells.
    """
    rules = watched_in(settings)
    if given := rules.get(name) or rules.get('auto'):
        return given
    if name in SCORES or any(part in name.lower() for part in GREATER):
        return 'greater'
    return 'less' if any(part in name.lower() for part in LESS) else None
