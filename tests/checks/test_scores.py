from collections.abc import Callable
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.checks import check_config

BEST = 'default_hooks__checkpoint__save_best'
RULE = 'default_hooks__checkpoint__rule'
IMAGES = 'vgg13_vgg8_cifar100'


def plateau(**settings: Any) -> dict[str, Any]:
    last = dict(type='ReduceOnPlateauLR', **settings)
    return dict(param_scheduler=[dict(type='ConstantLR'), last])


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({BEST: 'mIou'}, "checkpoint.save_best: .*'mIou'. Did you mean 'mIoU'"),
        ({BEST: ['mIoU', 'mDice']}, "reports 'mDice'.*Known: aAcc, mIoU, mAcc"),
        ({RULE: 'less'}, "checkpoint: the rule 'less' applies to no score"),
        ({BEST: 'mIoU', RULE: 'less'}, "the worst 'mIoU'"),
        ({BEST: ['aAcc', 'mIoU'], RULE: ['greater', 'less']}, "the worst 'mIoU'"),
        (dict(pair=IMAGES, **{BEST: 'top1'}), "reports 'top1'. Known: accuracy/top1"),
        (dict(pair=IMAGES, **{BEST: 'accuracy/top3'}), 'Known: accuracy/top1'),
        (
            dict(custom_hooks=[dict(type='EarlyStoppingHook', monitor='mioU')]),
            r"custom_hooks\[0\]\.monitor: .*'mIoU'",
        ),
        (
            {BEST: 'mIoU', 'val_evaluator__prefix': 'street'},
            'Known: street/aAcc, street/mIoU',
        ),
        (plateau(monitor='mIou'), r"param_scheduler\[1\]\.monitor: .*'mIoU'"),
        (plateau(), r"param_scheduler\[1\]\.monitor: .*'val_loss'"),
        (plateau(monitor='mIoU'), "the rule 'less' takes the worst 'mIoU'"),
    ],
)
def test_scores_that_no_metric_gives(
    check: Callable[..., None], options: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        check(**options)


@pytest.mark.parametrize(
    'options',
    [
        {BEST: 'auto'},
        {BEST: ['mIoU', 'mAcc'], RULE: 'greater'},
        plateau(monitor='mIoU', rule='greater'),
        {BEST: 'mPrecision', 'val_evaluator__iou_metrics': ['mIoU', 'mFscore']},
        dict(pair=IMAGES, **{BEST: 'accuracy/top5'}),
        {BEST: 'cityscapes/anything', 'val_evaluator__type': 'CityscapesMetric'},
        {
            BEST: 'best',
            'val_evaluator': [dict(type='IoUMetric'), dict(type='CityscapesMetric')],
        },
    ],
)
def test_scores_that_are_given_or_unknown(
    check: Callable[..., None], options: Any
) -> None:
    check(**options)


def test_a_score_without_a_validation(changed: Callable[..., Config]) -> None:
    cfg = changed(**{BEST: 'mIoU'})
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    with pytest.raises(ValueError, match=r"no score 'mIoU' without validation"):
        check_config(cfg)
