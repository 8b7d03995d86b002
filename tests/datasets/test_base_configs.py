import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmpretrain.registry import PARAM_SCHEDULERS
from scipy.io import savemat

BASE = Path(__file__).parents[2] / 'configs/_base_'


def write_cifar(root: Path, count: int) -> None:
    rng = np.random.default_rng(0)
    folder = root / 'cifar-100-python'
    folder.mkdir(parents=True)
    for split in ('train', 'test'):
        content = {
            'data': rng.integers(0, 256, (count, 3072), dtype=np.uint8),
            'fine_labels': rng.integers(0, 100, count).tolist(),
        }
        (folder / split).write_bytes(pickle.dumps(content))


def write_svhn(root: Path, count: int) -> None:
    root.mkdir()
    rng = np.random.default_rng(0)
    for split in ('train', 'test'):
        images = rng.integers(0, 256, (32, 32, 3, count), dtype=np.uint8)
        labels = rng.integers(1, 11, (count, 1), dtype=np.uint8)
        savemat(root / f'{split}_32x32.mat', {'X': images, 'y': labels})


CASES = [
    ('cifar100', 'cifar_240e', write_cifar, 100, {'top1', 'top5'}),
    ('svhn', 'svhn_150e', write_svhn, 10, {'top1'}),
    ('cifar100_in_memory', 'cifar_240e', write_cifar, 100, {'top1', 'top5'}),
]


def compose(tmp_path: Path, dataset: str, schedule: str) -> Config:
    bases = [
        str(BASE / 'models/resnet8_cifar.py'),
        str(BASE / f'datasets/{dataset}.py'),
        str(BASE / f'schedules/{schedule}.py'),
    ]
    file = tmp_path / 'config.py'
    file.write_text(f"_base_ = {bases!r}\ndefault_scope = 'mmpretrain'\n")
    return Config.fromfile(file)


@pytest.mark.parametrize(('dataset', 'schedule', 'write', 'classes', 'metrics'), CASES)
def test_trains_and_evaluates(
    tmp_path: Path,
    dataset: str,
    schedule: str,
    write: Callable[[Path, int], None],
    classes: int,
    metrics: set[str],
) -> None:
    cfg = compose(tmp_path, dataset, schedule)
    root = tmp_path / 'data'
    write(root, 6)
    cfg.work_dir = str(tmp_path / 'work')
    cfg.experiment_name = f'{dataset}_{tmp_path.name}'
    cfg.train_cfg.max_epochs = 2
    cfg.model.head.num_classes = classes
    cfg.train_dataloader.batch_size = 3
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.data_root = str(root)
        loader.num_workers = 0
        loader.persistent_workers = False
    runner = Runner.from_cfg(cfg)
    before = runner.model.head.fc.weight.detach().clone()
    runner.train()
    assert runner.iter == 4
    assert not torch.equal(runner.model.head.fc.weight, before)
    assert len(runner.val_evaluator.dataset_meta['classes']) == classes
    assert set(runner.test()) == {f'accuracy/{name}' for name in metrics}


@pytest.mark.parametrize(
    ('schedule', 'start', 'drops', 'epochs'),
    [
        ('cifar_240e', 0.05, (150, 180, 210), 240),
        ('svhn_150e', 0.001, (80, 110, 135), 150),
    ],
)
def test_learning_rate_of_every_epoch(
    schedule: str, start: float, drops: tuple[int, ...], epochs: int
) -> None:
    cfg = Config.fromfile(BASE / f'schedules/{schedule}.py')
    assert cfg.train_cfg.max_epochs == epochs
    assert cfg.optim_wrapper.optimizer.type == 'SGD'
    settings = {k: v for k, v in cfg.optim_wrapper.optimizer.items() if k != 'type'}
    assert settings == {'lr': start, 'momentum': 0.9, 'weight_decay': 5e-4}
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], **settings)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        scheduler = PARAM_SCHEDULERS.build(
            {**cfg.param_scheduler, 'optimizer': optimizer}
        )
    for epoch in range(epochs):
        expected = start * 0.1 ** sum(epoch >= drop for drop in drops)
        assert optimizer.param_groups[0]['lr'] == pytest.approx(expected)
        optimizer.step()
        scheduler.step()


@pytest.mark.parametrize('dataset', ['cifar100', 'svhn'])
def test_training_crops_and_flips_and_testing_does_neither(dataset: str) -> None:
    cfg = Config.fromfile(BASE / f'datasets/{dataset}.py')
    train = [step.type for step in cfg.train_dataloader.dataset.pipeline]
    test = [step.type for step in cfg.test_dataloader.dataset.pipeline]
    assert train == ['RandomCrop', 'RandomFlip', 'PackInputs']
    assert test == ['PackInputs']


def test_normalises_as_the_published_teachers_were_trained() -> None:
    preprocessor = Config.fromfile(BASE / 'datasets/cifar100.py').data_preprocessor
    np.testing.assert_allclose(
        preprocessor.mean, np.multiply((0.5071, 0.4867, 0.4408), 255)
    )
    np.testing.assert_allclose(
        preprocessor.std, np.multiply((0.2675, 0.2565, 0.2761), 255)
    )
    assert not preprocessor.to_rgb
