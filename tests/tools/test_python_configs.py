"""Configs in which types are classes, not names."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config

from mmkd.checkpoints.loading import safe_load
from mmkd.config.type_names import type_names
from mmkd.models import build_model

BASE = """
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import DefaultSampler
from mmengine.hooks import CheckpointHook
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, TestLoop
from mmpretrain.datasets import CustomDataset, PackInputs
from mmpretrain.evaluation import Accuracy
from mmpretrain.models import (
    ClsDataPreprocessor, GlobalAveragePooling, ImageClassifier, LinearClsHead,
    ResNet_CIFAR)
from torch.optim import SGD

default_scope = 'mmpretrain'
model = dict(
    type=ImageClassifier,
    data_preprocessor=dict(type=ClsDataPreprocessor, num_classes=2),
    backbone=dict(
        type=ResNet_CIFAR, depth=18, stem_channels=2, base_channels=2, num_stages=3,
        strides=(1, 2, 2), dilations=(1, 1, 1), out_indices=(2, )),
    neck=dict(type=GlobalAveragePooling),
    head=dict(type=LinearClsHead, num_classes=2, in_channels=8, topk=(1, )))
train_dataloader = dict(
    batch_size=2, num_workers=0, sampler=dict(type=DefaultSampler, shuffle=True),
    dataset=dict(
        type=CustomDataset, data_root='data', data_prefix='train',
        pipeline=[dict(type=LoadImageFromFile), dict(type=PackInputs)]))
test_dataloader = dict(train_dataloader, sampler=dict(type=DefaultSampler))
test_evaluator = dict(type=Accuracy, topk=(1, ))
test_cfg = dict(type=TestLoop)
optim_wrapper = dict(type=OptimWrapper, optimizer=dict(type=SGD, lr=0.05))
train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=1)
default_hooks = dict(checkpoint=dict(type=CheckpointHook, interval=1))
"""
DISTILLATION = """
from mmengine.config import read_base

with read_base():
    from .base import *

from mmkd.engine import (
    DistillOptimWrapperConstructor, DistillScheduleHook, ExportStudentHook)
from mmkd.models import Distiller
from mmkd.models.methods import DualHead

model = dict(
    type=Distiller,
    student=model,
    teacher=dict(config={base!r}, checkpoint={teacher!r}),
    methods=dict(dual_head=dict(type=DualHead)))
default_hooks.update(
    schedule=dict(type=DistillScheduleHook), export=dict(type=ExportStudentHook))
optim_wrapper.update(constructor=DistillOptimWrapperConstructor)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A distillation, with its data and teacher next to it."""
    for number in range(4):
        path = tmp_path / 'data' / 'train' / 'ab'[number % 2] / f'{number}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((16, 16, 3), 40 * number, np.uint8))
    base, teacher = tmp_path / 'base.py', tmp_path / 'teacher.pth'
    base.write_text(BASE)
    torch.save(build_model(str(base)).state_dict(), teacher)
    path = tmp_path / 'distillation.py'
    path.write_text(DISTILLATION.format(base=str(base), teacher=str(teacher)))
    return path


def test_they_are_protected_trained_and_tested(
    config: Path, run_tool: Callable[..., None], tmp_path: Path
) -> None:
    data = '--data-root', tmp_path / 'data'
    run_tool('train.py', config, *data, '--work-dir', 'w', '--amp')

    dumped = Config.fromfile(tmp_path / 'w' / config.name)
    assert dumped.train_cfg.type == 'mmkd.ResumableEpochLoop'
    assert dumped.default_hooks.checkpoint.type == 'mmkd.AtomicCheckpointHook'
    assert dumped.optim_wrapper.type == 'AmpOptimWrapper'
    state = safe_load(tmp_path / 'w' / 'epoch_1.pth')['state_dict']
    assert any(name.startswith('methods.dual_head') for name in state)

    for name in (config, tmp_path / 'w' / 'student.py'):
        run_tool('test.py', name, 'w/student.pth', *data, '--work-dir', name.stem)
        [scores] = (tmp_path / name.stem).glob('*/*.json')
        assert 'accuracy/top1' in scores.read_text()


def test_a_type_gets_its_name_and_no_other_class_does(config: Path) -> None:
    cfg = Config.fromfile(config.with_name('base.py'))
    cfg.model.head.type = torch.nn.Linear
    cfg.model.neck.norm_layer = torch.nn.LayerNorm
    type_names(cfg)
    assert cfg.train_cfg.type == 'EpochBasedTrainLoop'
    assert cfg.model.backbone.type == 'mmpretrain.ResNet_CIFAR'
    assert cfg.train_dataloader.dataset.pipeline[1].type == 'mmpretrain.PackInputs'
    assert cfg.model.head.type == 'torch.nn.modules.linear.Linear'
    assert cfg.model.neck.norm_layer is torch.nn.LayerNorm


@pytest.mark.parametrize(
    ('given', 'name'),
    [
        ('mmengine.EpochBasedTrainLoop', 'EpochBasedTrainLoop'),
        ('mmengine.runner.EpochBasedTrainLoop', 'EpochBasedTrainLoop'),
        ('mmengine.runner.loops.EpochBasedTrainLoop', 'EpochBasedTrainLoop'),
        # MMPretrain also has a hook of this name.
        ('mmengine.hooks.EMAHook', 'mmengine.EMAHook'),
        ('mmengine.EMAHook', 'mmengine.EMAHook'),
        ('mmkd.models.methods.DualHead', 'mmkd.DualHead'),
        ('mmpretrain.models.ImageClassifier', 'mmpretrain.ImageClassifier'),
        ('mmkd.models.Distiller', 'mmkd.Distiller'),
        ('mmseg.EncoderDecoder', 'mmseg.EncoderDecoder'),
        ('mmengine.runner.Nothing', 'mmengine.runner.Nothing'),
        ('own.package.Loop', 'own.package.Loop'),
        ('EpochBasedTrainLoop', 'EpochBasedTrainLoop'),
    ],
)
def test_a_type_may_be_a_path(given: str, name: str) -> None:
    """As dumped from a config whose types are classes."""
    cfg = Config(dict(train_cfg=dict(type=given)))
    type_names(cfg)
    assert cfg.train_cfg.type == name
