"""Scores in logs: their names, and which of two is better."""

from collections.abc import Mapping
from typing import Any

from mmengine.hooks import CheckpointHook

from mmkd.checks.places import hooks_of
from mmkd.checks.scores import reported, watched

SCORES = (
    'mIoU',
    'mDice',
    'mFscore',
    'accuracy/top1',
    'multi-label/mAP',
    'single-label/f1-score',
)
"""Main scores, in order of preference if there are several."""

KEYS = ('greater_keys', 'less_keys')
"""Arguments by which ``CheckpointHook`` tells which of two scores is better."""

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
    for _, known, rule in watched(settings):
        if known in (name, 'auto') and rule is not None:
            return str(rule)
    keys: dict[str, Any] = {}
    for hook in hooks_of(settings).values():
        if isinstance(hook, Mapping) and 'CheckpointHook' in str(hook.get('type')):
            keys |= {key: hook[key] for key in KEYS if key in hook}
    try:
        [found] = CheckpointHook(save_best=name, **keys).rules
    except ValueError:
        return 'greater' if name in SCORES else None
    return str(found)


def is_direction_known(settings: Mapping[str, Any]) -> bool:
    """Whether it is known before a validation which of two scores is better.

    Args:
        settings: The config of a training.
    """
    named = any(rule_of(name, settings) for name in best_by(settings))
    return named or reported(settings.get('val_evaluator')) is not None


def validates_at(end: int, settings: Mapping[str, Any]) -> bool:
    """Whether a training validates at its end.

    Args:
        end: Its length, in epochs or iterations.
        settings: Its config.
    """
    train = settings['train_cfg']
    if settings.get('val_cfg') is None or train.get('val_begin', 1) > end:
        return False
    # MMEngine's loops of before 0.10.5 validate at intervals only.
    interval = train.get('val_interval', 1 if 'max_epochs' in train else 1000)
    regular = end % interval == 0 and not train.get('dynamic_intervals')
    return regular or str(train.get('type')).startswith('mmkd.')
