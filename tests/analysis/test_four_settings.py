"""The four settings on any pair, and their trainings."""

from pathlib import Path
from typing import Any

import pytest

from mmkd.analysis.four_settings import (
    METHODS,
    SETTINGS,
    trainings,
    write_configs,
)
from mmkd.config.experiments import CONFIGS, load_config

SHIPPED = CONFIGS / 'dhkd' / 'collapse'
PAIRS = (
    'resnet20_resnet8_tin100',
    'resnet56_resnet20_cifar100',
    'deeplabv3-w48_deeplabv3-w16_camvid',
    'mmkd::dhkd/resnet32x4_shufflenetv2_cifar100.py',
    'mmkd::mhkd/resnet32x4_resnet8x4_mhkd+dhkd_cifar100.py',
)


def configs(folder: Path) -> dict[str, Any]:
    return {name: load_config(str(folder / f'{name}.py')) for name in SETTINGS}


def check(found: dict[str, Any]) -> None:
    methods = {name: cfg.model.methods for name, cfg in found.items()}
    weights = {
        name: (
            cfg.model.get('task_weight', 1),
            {method: each.weight for method, each in methods[name].items()},
        )
        for name, cfg in found.items()
    }
    assert weights == {
        'cross_entropy': (1, {'binary_kl': 0}),
        'binary_kl': (0, {'binary_kl': 1}),
        'one_head': (1, {'binary_kl': 1}),
        'two_heads': (1, {'dual_head': 1}),
    }
    assert methods['one_head'].binary_kl.loss == dict(type='BinaryKLLoss', tau=2.0)
    rests = []
    for cfg in found.values():
        rest = cfg.to_dict()
        for name in ('methods', 'task_weight'):
            rest['model'].pop(name, None)
        for name in ('binary_kl', 'dual_head'):
            rest.pop(name, None)
        rests.append(rest)
    assert all(rest == rests[0] for rest in rests)
    hooks = rests[0]['default_hooks']
    assert {'neural_collapse', 'gradient_conflict', 'validation_loss'} <= set(hooks)
    if 'max_epochs' in rests[0]['train_cfg']:
        assert rests[0]['train_cfg']['val_interval'] == 1


def test_the_shipped_ones_differ_in_their_losses_alone() -> None:
    check(configs(SHIPPED))


@pytest.mark.parametrize('pair', PAIRS)
def test_any_pair(pair: str, tmp_path: Path) -> None:
    write_configs(tmp_path, pair)
    found = configs(tmp_path)
    check(found)
    before = load_config(pair)
    assert found['one_head'].model.student == before.model.student
    own = before.get('settings', {}).get('dual_head', {})
    dual_head = found['two_heads'].model.methods.dual_head
    assert {**dual_head, **own} == dual_head


def test_a_student_alone_is_no_pair(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match='has no teacher'):
        write_configs(tmp_path, 'mmkd::students/resnet8_tin100.py')


def test_commands_differ_in_setting_and_seed_alone(tmp_path: Path) -> None:
    runs = list(trainings('train.py', tmp_path, 2, ['--amp'], ['weight=0.1']))
    assert [(run.name, run.seed) for run in runs] == [
        (name, seed) for seed in (0, 1) for name in SETTINGS
    ]
    for run in runs:
        text = ' '.join(run.command)
        assert text.startswith(f'train.py {tmp_path}/configs/{run.name}.py')
        assert text.endswith(f'--cfg-options randomness.seed={run.seed}')
        assert ' --amp ' in text
        method = METHODS.get(run.name)
        assert ('--set' in text) == (method is not None)
        assert method is None or f'--set {method}.weight=0.1 ' in text
