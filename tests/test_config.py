import copy
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.config import (
    AMP_WRAPPERS,
    check_data,
    deploy_student,
    enable_amp,
    protect_training,
    set_data_root,
    set_teacher,
)
from mmkd.registry import OPTIM_WRAPPERS

CONFIGS = Path(__file__).parents[1] / 'configs'


def leaf(**settings: Any) -> dict[str, Any]:
    return dict(type='Streets', data_root='elsewhere') | settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'data/images').mkdir(parents=True)
    (tmp_path / 'data/images/0.png').touch()
    return tmp_path / 'data'


@pytest.fixture
def wrapped() -> Config:
    """Datasets in every wrapper, one of them twice deep."""
    concat = dict(
        type='ConcatDataset',
        datasets=[leaf(), dict(type='RepeatDataset', times=2, dataset=leaf())],
    )
    return Config(
        dict(
            train_dataloader=dict(dataset=concat),
            val_dataloader=dict(dataset=leaf()),
            test_dataloader=dict(
                dataset=dict(type='ClassBalancedDataset', dataset=leaf())
            ),
            val_evaluator=dict(type='IoUMetric'),
        )
    )


def test_data_root_reaches_every_dataset(wrapped: Config, root: Path) -> None:
    set_data_root(wrapped, str(root))

    first, second = wrapped.train_dataloader.dataset.datasets
    assert first.data_root == second.dataset.data_root == str(root)
    assert wrapped.val_dataloader.dataset.data_root == str(root)
    assert wrapped.test_dataloader.dataset.dataset.data_root == str(root)
    assert 'data_root' not in wrapped.train_dataloader.dataset
    assert 'data_root' not in second


def test_dataloaders_may_be_absent(root: Path) -> None:
    cfg = Config(dict(train_dataloader=dict(dataset=leaf()), val_dataloader=None))

    set_data_root(cfg, str(root))

    assert cfg.train_dataloader.dataset.data_root == str(root)


def test_data_root_must_hold_something(wrapped: Config, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"none' is not a folder: pass the folder"):
        set_data_root(wrapped, str(tmp_path / 'none'))
    with pytest.raises(ValueError, match=r"' is empty: pass the folder"):
        set_data_root(wrapped, str(tmp_path))

    assert wrapped.val_dataloader.dataset.data_root == 'elsewhere'


def test_folders_of_the_data_are_checked(wrapped: Config, root: Path) -> None:
    set_data_root(wrapped, str(root))
    check_data(wrapped)
    deep = wrapped.train_dataloader.dataset.datasets[1].dataset
    deep.data_prefix = dict(img_path='images')
    check_data(wrapped)

    deep.data_prefix = dict(img_path='images', seg_map_path='labels')
    with pytest.raises(ValueError, match=r"Streets reads the folder '.*data/labels'"):
        check_data(wrapped)
    (root / 'labels').mkdir()
    with pytest.raises(ValueError, match=r'missing or empty\. Pass --data-root'):
        check_data(wrapped)
    (root / 'labels/city').mkdir()
    (root / 'labels/city/0.png').touch()
    check_data(wrapped)


@pytest.fixture
def distillation() -> Config:
    return Config(
        dict(
            model=dict(
                type='mmkd.Distiller',
                student=dict(
                    type='Student',
                    decode_head=[dict(num_classes=19), dict(num_classes=19)],
                    auxiliary_head=dict(num_classes=19),
                ),
                teacher=dict(config='teacher.py', checkpoint=None),
                methods=dict(dual_head=dict(type='DualHead')),
            ),
            optim_wrapper=dict(type='OptimWrapper', optimizer=dict(type='SGD')),
            custom_hooks=[
                dict(type='mmkd.TrainingGuardHook'),
                dict(type='EMAHook'),
                dict(type='mmkd.DistillScheduleHook', schedules={}),
            ],
        )
    )


def test_teacher_is_set(distillation: Config) -> None:
    set_teacher(distillation, 'teacher.pth')

    assert distillation.model.teacher == dict(
        config='teacher.py', checkpoint='teacher.pth'
    )


def test_teacher_needs_a_distiller(tmp_path: Path) -> None:
    path = tmp_path / 'student.py'
    path.write_text("model = dict(type='EncoderDecoder')")
    cfg = Config.fromfile(path)

    with pytest.raises(ValueError, match=r'student\.py trains EncoderDecoder without'):
        set_teacher(cfg, 'teacher.pth')


@pytest.mark.parametrize('kind', [None, *AMP_WRAPPERS])
def test_mixed_precision(distillation: Config, kind: str | None) -> None:
    wrapper = distillation.optim_wrapper
    wrapper.clip_grad = dict(max_norm=1)
    if kind is None:
        del wrapper['type']
    else:
        wrapper.type = kind

    enable_amp(distillation)

    assert wrapper == dict(
        type=AMP_WRAPPERS[kind or 'OptimWrapper'],
        optimizer=dict(type='SGD'),
        clip_grad=dict(max_norm=1),
        loss_scale='dynamic',
    )
    assert OPTIM_WRAPPERS.get(wrapper.type) is not None


@pytest.mark.parametrize('kind', AMP_WRAPPERS.values())
def test_mixed_precision_is_left_as_it_is(distillation: Config, kind: str) -> None:
    distillation.optim_wrapper.update(type=kind, loss_scale=512.0)

    enable_amp(distillation)

    assert distillation.optim_wrapper.type == kind
    assert distillation.optim_wrapper.loss_scale == 512.0


def test_mixed_precision_of_an_unknown_wrapper(distillation: Config) -> None:
    distillation.optim_wrapper.type = 'ApexOptimWrapper'

    with pytest.raises(ValueError, match=r"--amp .* of 'ApexOptimWrapper'; .*OptimWr"):
        enable_amp(distillation)


def test_student_is_deployed(distillation: Config) -> None:
    student = distillation.model.student.to_dict()

    deploy_student(distillation)

    assert distillation.model == student
    assert distillation.custom_hooks == [dict(type='EMAHook')]


def test_deployed_student_has_the_distillers_settings(distillation: Config) -> None:
    distillation.model.update(num_classes=5, data_preprocessor=dict(mean=[1.0]))

    deploy_student(distillation)

    model = distillation.model
    counts = [head.num_classes for head in (*model.decode_head, model.auxiliary_head)]
    assert counts == [5, 5, 5]
    assert model.data_preprocessor == dict(mean=[1.0])


def test_own_preprocessor_of_a_student_wins(distillation: Config) -> None:
    distillation.model.student.data_preprocessor = dict(mean=[2.0])
    distillation.model.data_preprocessor = dict(mean=[1.0])

    deploy_student(distillation)

    assert distillation.model.data_preprocessor == dict(mean=[2.0])


def test_student_in_a_file_is_deployed(distillation: Config, tmp_path: Path) -> None:
    path = tmp_path / 'student.py'
    path.write_text(
        "default_scope = 'mmseg'\n"
        'data_preprocessor = dict(mean=[3.0])\n'
        "model = dict(type='Student', decode_head=dict(num_classes=19))\n"
    )
    distillation.model.student = str(path)

    deploy_student(distillation)

    assert distillation.model == dict(
        type='Student',
        decode_head=dict(num_classes=19),
        data_preprocessor=dict(mean=[3.0]),
        _scope_='mmseg',
    )


def test_plain_config_is_left_as_it_is() -> None:
    hooks = [dict(type='mmkd.TrainingGuardHook')]
    cfg = Config(dict(model=dict(type='EncoderDecoder'), custom_hooks=hooks))

    deploy_student(cfg)

    assert cfg.model == dict(type='EncoderDecoder')
    assert cfg.custom_hooks == hooks


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

    protect_training(cfg)
    protect_training(cfg)

    assert cfg.train_cfg.pop('type') == f'mmkd.Resumable{loop}Loop'
    assert cfg.default_hooks.checkpoint.pop('type') == 'mmkd.AtomicCheckpointHook'
    for name in ('type', 'by_epoch'):
        before.train_cfg.pop(name, None)
    before.default_hooks.checkpoint.pop('type')
    assert cfg.train_cfg == before.train_cfg
    assert cfg.default_hooks.checkpoint == before.default_hooks.checkpoint
    for loader in ('val_dataloader', 'test_dataloader'):
        checked = dict(type='mmkd.CheckedDataset', dataset=before[loader].dataset)
        assert cfg[loader].dataset == checked


def test_what_is_no_part_of_mmengine_is_not_replaced() -> None:
    loop, hook = dict(type='OwnLoop'), dict(type='OwnHook')
    cfg = Config(dict(train_cfg=loop, default_hooks=dict(checkpoint=hook)))

    protect_training(cfg)

    assert cfg.train_cfg == loop
    assert cfg.default_hooks.checkpoint == hook


def test_a_config_without_hooks_is_protected() -> None:
    cfg = Config(dict(train_cfg=None))

    protect_training(cfg)

    hook = dict(type='mmkd.AtomicCheckpointHook', interval=1)
    assert cfg.default_hooks == dict(checkpoint=hook)
