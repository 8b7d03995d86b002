import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config
from mmengine.fileio import BaseStorageBackend, LocalBackend, register_backend

from mmkd.config import changes
from mmkd.config.changes import (
    AMP_WRAPPERS,
    check_data,
    drop_unwanted_hooks,
    enable_amp,
    set_data_root,
    set_record,
    set_teacher,
)
from mmkd.registry import OPTIM_WRAPPERS


def leaf(**settings: Any) -> dict[str, Any]:
    return dict(type='Streets', data_root='elsewhere') | settings


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / 'data/images').mkdir(parents=True)
    (tmp_path / 'data/images/0.png').touch()
    return tmp_path / 'data'


@pytest.fixture
def wrapped() -> Config:
    """Datasets in every wrapper, one of them nested twice."""
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
    (root / 'labels/city').rename(root / 'elsewhere')
    (root / 'labels/city').symlink_to(root / 'elsewhere')
    check_data(wrapped)


def streets(root: Path, **settings: Any) -> Config:
    prefix = dict(img_path='images', seg_map_path='labels')
    dataset = dict(data_root=str(root), data_prefix=prefix, **settings)
    return Config(
        dict(default_scope='mmseg', val_dataloader=dict(dataset=dataset))
    )


@pytest.mark.parametrize(
    ('settings', 'said'),
    [
        (
            dict(type='CityscapesDataset'),
            r"'_leftImg8bit.png' in the folder '.*/images', .* 0\.jpg\. Set img_suffix",
        ),
        (dict(type='BaseSegDataset', img_suffix='.JPG'), r"'\.JPG' .* Set img_suffix"),
        (
            dict(type='mmseg.BaseSegDataset', seg_map_suffix='_mask.png'),
            r"'_mask\.png' in the folder '.*/labels', .* 0\.png\. Set seg_map_suffix",
        ),
    ],
)
def test_folders_without_a_file_of_the_suffix_are_named(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    for name in ('images/0.jpg', 'labels/0.png'):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    check_data(streets(tmp_path, type='BaseSegDataset'))

    with pytest.raises(ValueError, match=said):
        check_data(streets(tmp_path, **settings))
    check_data(streets(tmp_path, **settings, ann_file='train.txt'))


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
        )
    )


def test_folders_behind_a_file_backend_are_looked_at(tmp_path: Path) -> None:
    class Elsewhere(LocalBackend):
        """Local files under another URL scheme."""

        def join_path(self, path: str, *more: str) -> str:
            return '/'.join([path, *more])

        def list_dir_or_file(self, path: str, **kwargs: Any) -> Iterator[str]:
            place = path.replace('elsewhere://', f'{tmp_path}/')
            return super().list_dir_or_file(place, **kwargs)

    class Deaf(BaseStorageBackend):
        """Reads files but cannot list them."""

        def get(self, filepath: str) -> bytes:
            return b''

        def get_text(self, filepath: str) -> str:
            return ''

        def join_path(self, path: str, *more: str) -> str:
            return '/'.join([path, *more])

    register_backend('elsewhere', Elsewhere, prefixes='elsewhere', force=True)
    register_backend('deaf', Deaf, prefixes='deaf', force=True)
    (tmp_path / 'a/images').mkdir(parents=True)

    def config(root: str) -> Config:
        streets = leaf(data_root=root, data_prefix=dict(img_path='images'))
        return Config(dict(train_dataloader=dict(dataset=streets)))

    with pytest.raises(ValueError, match=r'elsewhere://a/images'):
        check_data(config('elsewhere://a'))
    (tmp_path / 'a/images/0.png').touch()
    check_data(config('elsewhere://a'))
    check_data(config('deaf://a'))


def test_teacher_is_set(distillation: Config) -> None:
    set_teacher(distillation, 'teacher.pth')

    assert distillation.model.teacher == dict(
        config='teacher.py', checkpoint='teacher.pth'
    )


def test_a_record_takes_the_place_of_a_teacher(distillation: Config) -> None:
    """Settings of how it runs go to its live part."""
    distillation.model.teacher.update(fold=False, num_classes=5)
    partly = copy.deepcopy(distillation)
    kept = {**distillation.model.teacher, 'type': 'RecordedTeacher', 'record': 'r'}
    kept.pop('fold')

    set_record(distillation, 'r')
    set_record(partly, 'r', live=True)

    assert distillation.model.teacher == dict(kept, live=False)
    assert partly.model.teacher == dict(kept, live=dict(fold=False))


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


@pytest.mark.parametrize(
    ('device', 'chosen', 'half'),
    [
        ('cpu', None, 'bfloat16'),
        ('cpu', 'float16', 'bfloat16'),
        ('cuda', None, 'float16'),
        ('cuda', 'bfloat16', 'bfloat16'),
    ],
)
def test_the_teacher_has_the_precision_of_the_training(
    distillation: Config,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    chosen: str | None,
    half: str,
) -> None:
    monkeypatch.setattr(changes, 'get_device', lambda: device)
    if chosen:
        distillation.optim_wrapper.dtype = chosen
    own = copy.deepcopy(distillation)
    own.model.teacher.dtype = 'float32'
    recorded = copy.deepcopy(distillation)
    recorded.model.teacher = dict(type='RecordedTeacher', live=False)
    partly = copy.deepcopy(distillation)
    partly.model.teacher = dict(type='RecordedTeacher', live=True)

    for cfg in (distillation, own, recorded, partly):
        enable_amp(cfg)

    assert distillation.model.teacher.dtype == half
    assert own.model.teacher.dtype == 'float32'
    assert recorded.model.teacher == dict(type='RecordedTeacher', live=False)
    assert partly.model.teacher == dict(type='RecordedTeacher', live=dict(dtype=half))


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


def test_none_switches_any_hook_off() -> None:
    cfg = Config(
        dict(default_hooks=dict(guard=None, start_table=None, timer=None, other={}))
    )

    drop_unwanted_hooks(cfg)

    assert cfg.default_hooks == dict(timer=None, other={})
