"""Scores that a config names, checked against those that its metrics report."""

from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config

from mmkd.checks.places import hooks_of, metrics_of, schedulers_of, several, short_name
from mmkd.nearest import nearest_and_known

OF_IOU = {
    'mIoU': ('mIoU', 'mAcc'),
    'mDice': ('mDice', 'mAcc'),
    'mFscore': ('mFscore', 'mPrecision', 'mRecall'),
}
"""Scores that MMSegmentation's ``IoUMetric`` reports for each ``iou_metrics``."""

NAMERS = {'monitor', 'save_best'}
"""Settings of hooks that name a score."""


def check_scores(cfg: Config) -> None:
    """Refuse a score that is watched but never reported.

    Names are checked only if the scores of all validation metrics are known here:
    those of MMSegmentation's ``IoUMetric`` and MMPretrain's ``Accuracy``. For both,
    greater is better.

    Args:
        cfg: The config of any training.

    Raises:
        ValueError: If there is one, if the worst would be taken for the best, if a
            rule belongs to no score, or there is no validation.
    """
    if not cfg.get('train_cfg'):
        return
    for where, hook in hooks_of(cfg).items():
        rule = hook.get('rule') if isinstance(hook, Mapping) else None
        if rule is not None and not (NAMERS & hook.keys()):
            raise ValueError(
                f'{where}: the rule {rule!r} applies to no score. Name one with '
                'save_best.'
            )
    given = reported(cfg.get('val_evaluator'))
    for where, name, rule in (*watched(cfg), *_of_schedulers(cfg)):
        if cfg.get('val_cfg') is None or cfg.get('val_dataloader') is None:
            raise ValueError(
                f'{where}: there is no score {name!r} without validation: set '
                'val_dataloader, val_cfg and val_evaluator, or remove this setting.'
            )
        if given is None:
            continue
        if name not in given and name != 'auto':
            raise ValueError(
                f'{where}: no metric of val_evaluator reports {name!r}.'
                + nearest_and_known(name, given)
            )
        if rule == 'less':
            raise ValueError(
                f"{where}: the rule 'less' takes the worst {name!r} for the best: "
                "remove the rule, or set 'greater'."
            )


def watched(cfg: Config | Mapping[str, Any]) -> Iterator[tuple[str, str, Any]]:
    """Keys where scores are watched, with the score and its rule, if any.

    Args:
        cfg: The config of any training.
    """
    for where, hook in hooks_of(cfg).items():
        if not isinstance(hook, Mapping):
            continue
        if hook.get('save_best') is not None:
            names, rules = several(hook['save_best']), several(hook.get('rule'))
            rules = rules * len(names) if len(rules) == 1 else rules
            for name, rule in zip(names, rules, strict=False):
                yield f'{where}.save_best', name, rule
        elif 'EarlyStopping' in str(hook.get('type')) and 'monitor' in hook:
            yield f'{where}.monitor', hook['monitor'], hook.get('rule')


def _of_schedulers(cfg: Config) -> Iterator[tuple[str, str, Any]]:
    """Likewise where schedulers watch scores."""
    for where, scheduler in schedulers_of(cfg):
        if 'ReduceOnPlateau' in str(scheduler.get('type')):
            # MMEngine's defaults.
            name, rule = scheduler.get('monitor', 'val_loss'), scheduler.get('rule')
            yield f'{where}.monitor', name, rule or 'less'


def reported(evaluator: Any) -> list[str] | None:
    """The names of all scores; None if a metric is not known here.

    Args:
        evaluator: Its config.
    """
    found = []
    for metric in metrics_of(evaluator):
        if not isinstance(metric, Mapping):
            return None
        kind, prefix = short_name(metric), metric.get('prefix')
        if kind == 'IoUMetric' and not metric.get('format_only'):
            asked = several(metric.get('iou_metrics', 'mIoU'))
            names = ['aAcc', *(name for one in asked for name in OF_IOU.get(one, ()))]
        elif kind == 'Accuracy' and len(several(metric.get('thrs'))) == 1:
            names = [f'top{k}' for k in several(metric.get('topk', 1))]
            prefix = prefix or 'accuracy'
        else:
            return None
        found += [f'{prefix}/{name}' if prefix else name for name in names]
    return list(dict.fromkeys(found))
