"""Scores in logs: their names, and which of two is better."""

from collections.abc import Mapping
from typing import Any

from mmkd.checks.places import hooks_of
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


def best_by(settings: Mapping[str, Any]) -> list[str]:
    """The scores that a training saves its best checkpoints by.

    Args:
        settings: Its config.
    """
    named = watched(settings)
    return [name for where, name, _ in named if where.endswith('.save_best')]


def rule_of(name: str, settings: Mapping[str, Any]) -> str | None:
    """Whether ``'greater'`` or ``'less'`` is better, as MMEngine decides it.

    Args:
        name: The name of a score.
        settings: The config of its training: what a hook says of it counts first.

    Returns:
        None if neither the config nor the name tells.
    """
    for _, watched_name, rule in watched(settings):
        if watched_name in (name, 'auto') and rule is not None:
            return str(rule)
    greater, less = list(GREATER), list(LESS)
    for hook in hooks_of(settings).values():
        if isinstance(hook, Mapping):
            greater[:0] = hook.get('greater_keys') or ()
            less[:0] = hook.get('less_keys') or ()
    found = name.lower()
    if name in SCORES or any(part.lower() in found for part in greater):
        return 'greater'
    return 'less' if any(part.lower() in found for part in less) else None
