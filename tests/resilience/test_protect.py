import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.resilience import protect

CONFIGS = Path(__file__).parents[2] / 'configs'


@pytest.mark.parametrize(
    ('name', 'loop'),
    [
        ('dhkd/deeplabv3_r18_cityscapes.py', 'Iter'),
        ('dhkd/resnet34_resnet18_imagenet.py', 'Epoch'),
        ('students/resnet20_cifar100.py', 'Epoch'),
        ('demo/segmentation/dhkd.py', 'Iter'),
    ],
)
def test_trainings_are_protected(name: str, loop: str) -> None:
    cfg = Config.fromfile(CONFIGS / name)
    before = copy.deepcopy(cfg)

    protect(cfg)
    protect(cfg)

    assert cfg.train_cfg.pop('type') == f'mmkd.Resumable{loop}Loop'
    assert cfg.default_hooks.checkpoint.pop('type') == 'mmkd.AtomicCheckpointHook'
    for name in ('type', 'by_epoch'):
        before.train_cfg.pop(name, None)
    before.default_hooks.checkpoint.pop('type')
    assert cfg.train_cfg == before.train_cfg
    assert cfg.default_hooks.checkpoint == before.default_hooks.checkpoint
    assert cfg.default_hooks.guard == dict(type='mmkd.TrainingGuardHook')
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        assert cfg[loader] == before[loader]


def test_what_is_no_part_of_mmengine_is_not_replaced() -> None:
    loop, hook = dict(type='OwnLoop'), dict(type='OwnHook')
    cfg = Config(dict(train_cfg=loop, default_hooks=dict(checkpoint=hook)))

    protect(cfg)

    assert cfg.train_cfg == loop
    assert cfg.default_hooks.checkpoint == hook


def test_a_config_without_hooks_is_protected() -> None:
    cfg = Config(dict(train_cfg=None))

    protect(cfg)

    hook = dict(type='mmkd.AtomicCheckpointHook', interval=1)
    guard = dict(type='mmkd.TrainingGuardHook')
    assert cfg.default_hooks == dict(checkpoint=hook, guard=guard)


@pytest.mark.parametrize(
    ('loop', 'hooks', 'by_epoch'),
    [
        (dict(type='IterBasedTrainLoop'), {}, False),
        (dict(by_epoch=False), dict(logger=dict(type='LoggerHook')), False),
        (dict(type='EpochBasedTrainLoop'), dict(logger=dict(interval=5)), None),
        (
            dict(type='IterBasedTrainLoop'),
            dict(logger=dict(log_metric_by_epoch=True)),
            True,
        ),
    ],
)
def test_scores_of_a_training_without_epochs_belong_to_iterations(
    loop: dict[str, Any], hooks: dict[str, Any], by_epoch: bool | None
) -> None:
    cfg = Config(dict(train_cfg=loop, default_hooks=hooks))
    protect(cfg)
    assert cfg.default_hooks.logger.get('log_metric_by_epoch') is by_epoch


@pytest.mark.parametrize('logger', [None, dict(type='MyLoggerHook', interval=5)])
def test_a_logger_of_ones_own_keeps_its_arguments(logger: Any) -> None:
    loop = dict(type='IterBasedTrainLoop')
    cfg = Config(dict(train_cfg=loop, default_hooks=dict(logger=logger)))
    protect(cfg)
    assert cfg.default_hooks.logger == logger
