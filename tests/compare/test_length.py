"""A shorter training is the same one with all times scaled."""

from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import PARAM_SCHEDULERS

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
        'param_scheduler.0.end=2',
        'param_scheduler.1.begin=1',
        'param_scheduler.1.end=10',
        'param_scheduler.1.T_max=9',
    ]


SLOWER = f'gamma={0.9**2}'
"""Half as many steps, as one that is shorter than an epoch is none."""

SCHEDULERS = [
    (dict(type='StepLR', step_size=30, gamma=0.1), ['step_size=3']),
    (dict(type='mmengine.StepLR', step_size=5, gamma=0.9), ['step_size=1', SLOWER]),
    (dict(type='PolyLR', begin='5', end='later'), ['begin=5', 'end=later']),
    (dict(type='ExponentialLR'), []),
    (dict(type='ConstantLR', by_epoch=False, begin=500), ['begin=50']),
    (dict(type='MultiStepLR', milestones=[60, 80]), ['milestones=[6,8]']),
    (dict(type='OneCycleLR', eta_max=1, total_steps=100), ['total_steps=10']),
    (
        dict(type='CosineRestartLR', periods=[40, 60], restart_weights=[1, 0.5]),
        ['periods=[4,6]'],
    ),
    (
        dict(type='ReduceOnPlateauLR', patience=20, cooldown=0),
        ['cooldown=0', 'patience=2'],
    ),
    (dict(type='PolyLR', begin=0, end=float('inf')), ['begin=0', 'end=inf']),
]


def shortened(**keys: Any) -> list[str]:
    """The options that make 10 epochs of 100."""
    cfg = Config(dict(model={}, train_cfg=dict(max_epochs=100)))
    cfg.merge_from_dict(keys)
    assert length_options(cfg, 'epochs', 100)[0] == 'train_cfg.max_epochs=100'
    return length_options(cfg, 'epochs', 10)[1:]


@pytest.mark.parametrize(('scheduler', 'options'), SCHEDULERS)
def test_every_scheduler_keeps_its_shape(
    scheduler: dict[str, Any], options: list[str]
) -> None:
    expected = [f'param_scheduler.{option}' for option in options]
    assert shortened(param_scheduler=scheduler) == expected


@pytest.mark.parametrize('kind', ['ExponentialLR', 'mmengine.ExponentialMomentum'])
def test_an_exponential_decay_ends_where_it_did(kind: str) -> None:
    scheduler = dict(type=kind, gamma=0.98)
    [option] = shortened(param_scheduler=scheduler)
    name, _, value = option.partition('=')
    assert name == 'param_scheduler.gamma'
    assert float(value) ** 10 == pytest.approx(0.98**100)


def test_validation_and_hooks_begin_at_the_same_part_of_it() -> None:
    recipe = dict(type='SwitchRecipeHook', schedule=[dict(action_epoch=50)])
    assert shortened(
        train_cfg=dict(val_begin=80, dynamic_intervals=[(90, 2)]),
        default_hooks=dict(
            ema=dict(type='EMAHook', begin_epoch=20),
            checkpoint=dict(save_begin=10),
        ),
        custom_hooks=[dict(type='NumClassCheckHook'), recipe],
    ) == [
        'train_cfg.val_begin=8',
        'train_cfg.dynamic_intervals=[(9,2)]',
        'default_hooks.ema.begin_epoch=2',
        'default_hooks.checkpoint.save_begin=1',
        'custom_hooks.1.schedule.0.action_epoch=5',
    ]


def test_schedulers_by_optimiser() -> None:
    scheduler = dict(type='MultiStepLR', milestones=[50])
    schedulers = dict(a=[scheduler], b=scheduler)
    assert shortened(param_scheduler=schedulers) == [
        'param_scheduler.a.0.milestones=[5]',
        'param_scheduler.b.milestones=[5]',
    ]


@pytest.mark.parametrize('end', [dict(end=100, T_max=95), {}])
def test_a_schedule_of_which_nothing_is_left_is_an_error(end: dict[str, int]) -> None:
    schedulers = [
        dict(type='LinearLR', begin=0, end=5),
        dict(type='CosineAnnealingLR', begin=5, **end),
    ]
    cfg = Config(
        dict(model={}, train_cfg=dict(max_epochs=100), param_scheduler=schedulers)
    )
    assert length_options(cfg, 'epochs', 2)
    with pytest.raises(ValueError, match=r'param_scheduler\.0 \(Linear.*Train longer'):
        length_options(cfg, 'epochs', 1)
    del schedulers[0]
    cfg.param_scheduler = schedulers
    with pytest.raises(ValueError, match=r'param_scheduler\.0 \(Cosine.*Train longer'):
        length_options(cfg, 'epochs', 1)


@pytest.mark.parametrize('kind', ['LinearLR', 'ConstantLR'])
@pytest.mark.parametrize('epochs', [2, 3, 6, 30])
def test_the_rate_is_reached_after_a_warm_up(kind: str, epochs: int) -> None:
    """However little is left of it."""
    factor = dict(start_factor=0.01) if kind == 'LinearLR' else dict(factor=0.01)
    warmup = dict(type=kind, begin=0, end=5, **factor)
    after = dict(type='CosineAnnealingLR', begin=5, end=30, T_max=25)
    cfg = Config(dict(model={}, train_cfg=dict(max_epochs=30)))
    cfg.param_scheduler = [warmup, after]
    options = [option.split('=') for option in length_options(cfg, 'epochs', epochs)]
    cfg.merge_from_dict({key: int(value) for key, value in options})
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedulers = [
        PARAM_SCHEDULERS.build(scheduler, default_args=dict(optimizer=optimizer))
        for scheduler in cfg.param_scheduler
    ]
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]['lr'])
        for scheduler in schedulers:
            scheduler.step()
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1)


@pytest.mark.parametrize(
    'scheduler',
    [
        dict(type='LinearLR', start_factor=1, end_factor=0, begin=0, end=100),
        dict(type='LinearLR', start_factor=1, end_factor=0),
        dict(type='ConstantLR', factor=0.1, begin=90, end=100),
        dict(type='ConstantLR', factor=0.1, begin=90),
    ],
)
def test_what_lasts_to_the_end_leads_nowhere(scheduler: dict[str, Any]) -> None:
    cfg = Config(dict(model={}, train_cfg=dict(max_epochs=100)))
    cfg.param_scheduler = scheduler
    length = 10 if scheduler.get('begin') else 1
    options = length_options(cfg, 'epochs', length)
    assert 'param_scheduler.end' not in dict(o.split('=') for o in options) or (
        f'param_scheduler.end={length}' in options
    )


def test_a_warm_up_in_iterations_may_take_one_epoch() -> None:
    scheduler = dict(type='LinearLR', begin=0, end=5, convert_to_iter_based=True)
    assert 'param_scheduler.end=1' in shortened(param_scheduler=scheduler)


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
