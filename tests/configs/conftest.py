import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from scipy.io import savemat

from mmkd.config.changes import set_data_root, set_teacher
from mmkd.models import build_model
from mmkd.models.build import model_dict

COUNT = 8
"""Images of each split of each data set."""


def noise(*shape: int, below: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, below, shape, dtype=np.uint8)


def write_cifar(root: Path) -> None:
    folder = root / 'cifar-100-python'
    folder.mkdir(parents=True)
    labels = list(range(99, 99 - COUNT, -1))
    content = {'data': noise(COUNT, 3072), 'fine_labels': labels}
    for split in ('train', 'test'):
        (folder / split).write_bytes(pickle.dumps(content))


def write_svhn(root: Path) -> None:
    root.mkdir()
    content = {'X': noise(32, 32, 3, COUNT), 'y': 1 + noise(COUNT, 1, below=10)}
    for split in ('train', 'test'):
        savemat(root / f'{split}_32x32.mat', content)


def write_imagenet(root: Path) -> None:
    (root / 'meta').mkdir(parents=True)
    for split in ('train', 'val'):
        (root / split).mkdir()
        for index in range(COUNT):
            cv2.imwrite(str(root / split / f'{index}.jpg'), noise(48, 64, 3))
        lines = [f'{index}.jpg {999 - index}\n' for index in range(COUNT)]
        (root / 'meta' / f'{split}.txt').write_text(''.join(lines))


def write_cityscapes(root: Path) -> None:
    labels = noise(64, 96, below=20)
    labels[labels == 19] = 255
    for split in ('train', 'val'):
        for folder, suffix, image in (
            ('leftImg8bit', 'leftImg8bit', noise(64, 96, 3)),
            ('gtFine', 'gtFine_labelTrainIds', labels),
        ):
            town = root / folder / split / 'town'
            town.mkdir(parents=True)
            for index in range(COUNT):
                cv2.imwrite(str(town / f'town_{index}_{suffix}.png'), image)


WRITERS = {
    'mmkd.CIFAR100': write_cifar,
    'mmkd.SVHN': write_svhn,
    'ImageNet': write_imagenet,
    'CityscapesDataset': write_cityscapes,
}


@pytest.fixture(scope='session')
def data_roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder of a few small images for each type of data set."""
    folder = tmp_path_factory.mktemp('data')
    roots = {kind: folder / kind for kind in WRITERS}
    for kind, write in WRITERS.items():
        write(roots[kind])
    return roots


def shrink_data(cfg: Config) -> None:
    """Batches of four small images, loaded by the main process."""
    dense = cfg.default_scope == 'mmseg'
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[name]
        loader.update(batch_size=4, num_workers=0, persistent_workers=False)
        loader.pop('pin_memory', None)
        # Serialising collects Python's garbage, which takes longer than training.
        loader.dataset.serialize_data = False
        for step in loader.dataset.pipeline:
            if 'scale' in step:
                step.scale = (96, 64) if dense else 32
            if 'crop_size' in step:
                step.crop_size = (64, 64) if dense else 32


def shrink_model(model: dict[str, Any]) -> dict[str, Any]:
    """A segmentor of the same kind whose widest map has 64 channels."""
    if model['type'] == 'EncoderDecoder':
        model['pretrained'] = None
        model['data_preprocessor']['size'] = (64, 64)
        model['backbone'].update(depth=18, stem_channels=8, base_channels=8)
        model['decode_head'].update(in_channels=64, channels=8)
        if 'auxiliary_head' in model:
            model['auxiliary_head'].update(in_channels=32, channels=8)
    return model


class Teachers:
    """Checkpoints of teachers with random weights, each written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, Path] = {}

    def checkpoint(self, config: dict[str, Any], num_classes: int | None) -> str:
        key = repr((config, num_classes))
        if key not in self.files:
            file = self.folder / f'{len(self.files)}.pth'
            model = build_model(config, num_classes)
            torch.save({'state_dict': model.state_dict()}, file)
            self.files[key] = file
        return str(self.files[key])


@pytest.fixture(scope='session')
def teachers() -> Iterator[Teachers]:
    with TemporaryDirectory() as folder:
        yield Teachers(Path(folder))


@pytest.fixture
def trained(
    teachers: Teachers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Runner]]:
    """Train two steps of a config and evaluate once, on a few small images."""
    # Laying a config out for the log takes longer than training.
    monkeypatch.setattr(Config, 'pretty_text', '')
    with TemporaryDirectory() as work_dir:

        def train(cfg: Config, data_root: Path | None = None) -> Runner:
            if data_root is not None:
                set_data_root(cfg, str(data_root))
            shrink_data(cfg)
            if 'teacher' in cfg.model:
                shrink_model(cfg.model.student)
                if 'size' in cfg.model.student.get('data_preprocessor', {}):
                    cfg.data_preprocessor.size = (64, 64)
                teacher = shrink_model(model_dict(cfg.model.teacher.config))
                cfg.model.teacher.config = teacher
                classes = cfg.model.get('num_classes')
                set_teacher(cfg, teachers.checkpoint(teacher, classes))
            else:
                shrink_model(cfg.model)
            if 'max_iters' in cfg.train_cfg:
                cfg.train_cfg.update(max_iters=2, val_interval=2)
            else:
                cfg.train_cfg.update(max_epochs=1, val_interval=1)
            cfg.work_dir = work_dir
            # MMEngine keeps loggers and visualisers by these names.
            cfg.experiment_name = cfg.visualizer.name = Path(work_dir).name
            cfg.log_level = 'ERROR'
            runner = Runner.from_cfg(cfg)
            runner.train()
            return runner

        yield train
