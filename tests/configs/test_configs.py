import math
from collections.abc import Callable
from pathlib import Path

import pytest
from mmengine.config import Config
from mmengine.runner import Runner

ROOT = Path(__file__).parents[2] / 'configs'
DEMO = sorted(ROOT.glob('demo/*/*.py'))
EXPERIMENTS = [
    f'{path.parent.name}/{path.stem}'
    for path in sorted(ROOT.glob('*/*.py'))
    if path.parent.name not in ('_base_', 'demo')
]
DATASETS = {
    'cifar100': 'mmkd.CIFAR100',
    'tin100': 'mmkd.CIFAR100',
    'svhn': 'mmkd.SVHN',
    'imagenet': 'ImageNet',
    'cityscapes': 'CityscapesDataset',
    'camvid': 'CityscapesDataset',
}

PROCESSES = {'cityscapes': (4, 8), 'imagenet': (8,)}
"""The numbers of processes that configs are meant for, if more than one."""


@pytest.mark.parametrize('name', EXPERIMENTS)
def test_trains_and_evaluates(
    name: str, trained: Callable[..., Runner], data_roots: dict[str, Path]
) -> None:
    cfg = Config.fromfile(ROOT / f'{name}.py')
    dataset = cfg.train_dataloader.dataset.type
    assert dataset == DATASETS[name.rpartition('_')[2]]
    base, batch = cfg.auto_scale_lr.base_batch_size, cfg.train_dataloader.batch_size
    assert base / batch in PROCESSES.get(name.rpartition('_')[2], (1,))
    methods = list(cfg.model.get('methods', []))
    runner = trained(cfg, data_roots[dataset])
    assert runner.iter == 2
    scalars = runner.message_hub.log_scalars
    assert math.isfinite(scalars['train/loss'].current())
    for method in methods:
        terms = [
            scalars[key].current()
            for key in scalars
            if key.startswith(f'train/distill.{method}.')
        ]
        assert terms
        assert all(term > 0 for term in terms)
    metric = 'mIoU' if dataset == 'CityscapesDataset' else 'accuracy/top1'
    assert math.isfinite(scalars[f'val/{metric}'].current())


# `make demo` runs them.
@pytest.mark.parametrize('file', DEMO, ids=lambda file: str(file.relative_to(ROOT)))
def test_demo_configs_load(file: Path) -> None:
    cfg = Config.fromfile(file)
    assert cfg.default_scope in ('mmpretrain', 'mmseg')
    assert ('teacher' in cfg.model) == (file.stem in ('pair', 'dhkd'))
    batch = cfg.train_dataloader.batch_size
    assert cfg.auto_scale_lr == dict(base_batch_size=batch)
