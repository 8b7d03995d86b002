"""Which of two scores is better."""

from typing import Any

import pytest

from mmkd.runs.scores import best_by, rule_of


def with_hook(**hook: Any) -> dict[str, Any]:
    return dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', **hook)))


@pytest.mark.parametrize(
    ('name', 'hook', 'rule'),
    [
        ('mIoU', {}, 'greater'),
        ('single-label/f1-score', {}, 'greater'),
        ('my/top3', {}, 'greater'),
        ('val_loss', {}, 'less'),
        ('rmse', {}, None),
        ('rmse', dict(save_best='rmse', rule='less'), 'less'),
        ('rmse', dict(save_best='auto', rule='less'), 'less'),
        ('rmse', dict(save_best=['mIoU', 'rmse'], rule=['greater', 'less']), 'less'),
        ('rmse', dict(save_best='mIoU', rule='greater'), None),
        ('rmse', dict(save_best='rmse', less_keys=['RMSE']), 'less'),
        ('val_loss', dict(save_best='val_loss', greater_keys=['val_loss']), 'greater'),
        ('mIoU', dict(save_best='mIoU', rule='less'), 'less'),
    ],
)
def test_as_mmengine_decides(name: str, hook: dict[str, Any], rule: str | None) -> None:
    assert rule_of(name, with_hook(**hook)) == rule


def test_a_score_that_only_ends_a_training_is_not_what_it_is_for() -> None:
    early = dict(type='EarlyStoppingHook', monitor='val_loss', rule='less')
    settings = with_hook(save_best='mIoU') | dict(custom_hooks=[early])
    assert best_by(settings) == ['mIoU']
    assert rule_of('val_loss', settings) == 'less'
