"""Which of two scores is better."""

from contextlib import suppress
from typing import Any

import pytest
from mmengine.hooks import CheckpointHook

from mmkd.runs.scores import best_by, is_direction_known, rule_of


def with_hook(**hook: Any) -> dict[str, Any]:
    return dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', **hook)))


@pytest.mark.parametrize(
    ('name', 'hook'),
    [
        ('mIoU', {}),
        ('my/top3', {}),
        ('val_loss', {}),
        ('rmse', {}),
        ('rmse', dict(rule='less')),
        ('rmse', dict(less_keys=['RMSE'])),
        ('rmse', dict(greater_keys='score', less_keys='rmse')),
        ('mape', dict(less_keys=['mape'])),
        ('mape_x', dict(greater_keys=['f1'], less_keys=['mape'])),
        ('accuracy_error', dict(less_keys=['accuracy_error'])),
        ('val_loss', dict(greater_keys=['val_loss'])),
        ('mIoU', dict(rule='less')),
    ],
)
def test_as_mmengine_decides(name: str, hook: dict[str, Any]) -> None:
    rule = None
    with suppress(ValueError):
        [rule] = CheckpointHook(save_best=name, **hook).rules
    assert rule_of(name, with_hook(save_best=name, **hook)) == rule


@pytest.mark.parametrize(
    ('name', 'hook', 'rule'),
    [
        ('single-label/f1-score', {}, 'greater'),
        ('rmse', dict(save_best='auto', rule='less'), 'less'),
        ('rmse', dict(save_best=['mIoU', 'rmse'], rule=['greater', 'less']), 'less'),
        ('rmse', dict(save_best='mIoU', rule='greater'), None),
    ],
)
def test_what_else_is_known(name: str, hook: dict[str, Any], rule: str | None) -> None:
    assert rule_of(name, with_hook(**hook)) == rule


@pytest.mark.parametrize(
    ('metric', 'hook', 'known'),
    [
        (dict(type='Accuracy'), {}, True),
        (dict(type='AveragePrecision'), {}, False),
        (dict(type='AveragePrecision'), dict(save_best='multi-label/mAP'), True),
        (dict(type='RMSE'), dict(save_best='rmse'), False),
        (dict(type='RMSE'), dict(save_best='rmse', less_keys=['rmse']), True),
    ],
)
def test_what_is_known_before_a_validation(
    metric: dict[str, Any], hook: dict[str, Any], known: bool
) -> None:
    early = dict(type='EarlyStoppingHook', monitor='val_loss', rule='less')
    settings = dict(with_hook(**hook), custom_hooks=[early], val_evaluator=metric)
    assert is_direction_known(settings) == known


def test_a_score_that_only_ends_a_training_is_not_what_it_is_for() -> None:
    early = dict(type='EarlyStoppingHook', monitor='val_loss', rule='less')
    settings = with_hook(save_best='mIoU') | dict(custom_hooks=[early])
    assert best_by(settings) == ['mIoU']
    assert rule_of('val_loss', settings) == 'less'


def test_a_scheduler_does_not_say_which_score_is_better() -> None:
    name = 'single-label/f1-score'
    plateau = dict(type='ReduceOnPlateauLR', monitor=name)
    settings = with_hook(save_best=name) | dict(param_scheduler=plateau)
    assert rule_of(name, settings) == 'greater'
