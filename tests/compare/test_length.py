"""A shorter training is the same one with all times scaled."""

import pytest
from mmengine.config import Config

from mmkd.compare.length import length_options
from mmkd.config.experiments import load_config, set_methods

CIFAR, CAMVID = 'resnet56_resnet20_cifar100', 'deeplabv3-w48_deeplabv3-w16_camvid'


def test_the_rate_and_methods_change_at_the_same_part_of_it() -> None:
    cfg = load_config(CIFAR)
    set_methods(cfg, ['dkd', 'kd'])
    assert cfg.param_scheduler.milestones == [150, 180, 210]
    assert cfg.model.methods.dkd.warmup == 20
    assert length_options(cfg, 'epochs', 24) == [
        'train_cfg.max_epochs=24',
        'param_scheduler.milestones=[15,18,21]',
        'model.methods.dkd.warmup=2',
    ]


def test_schedulers_in_a_list_and_a_student_alone() -> None:
    cfg = load_config(CAMVID)
    set_methods(cfg, ['none'])
    assert length_options(cfg, 'iterations', 500) == [
        'train_cfg.max_iters=500',
        'param_scheduler.0.end=500',
    ]


def test_what_begins_after_the_start_never_begins_with_it() -> None:
    warmup = dict(type='LinearLR', begin=0, end=5, by_epoch=True)
    after = dict(type='CosineAnnealingLR', begin=5, end=300, T_max=295)
    cfg = Config(
        dict(
            model={},
            train_cfg=dict(max_epochs=300),
            param_scheduler=[warmup, after],
        )
    )
    assert length_options(cfg, 'epochs', 10)[1:] == [
        'param_scheduler.0.begin=0',
        'param_scheduler.0.end=1',
        'param_scheduler.1.begin=1',
        'param_scheduler.1.end=10',
        'param_scheduler.1.T_max=10',
    ]


@pytest.mark.parametrize(
    ('pair', 'unit', 'told'),
    [
        (CIFAR, 'iterations', r'counts epochs \(240 .*give --epochs, not --iterations'),
        (CAMVID, 'epochs', r'counts iterations \(2500 .*give --iterations, not'),
    ],
)
def test_the_unit_is_that_of_the_pair(pair: str, unit: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        length_options(load_config(pair), unit, 10)
