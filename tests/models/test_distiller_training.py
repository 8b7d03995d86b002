import copy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmkd.checkpoints.loading import safe_load
from mmkd.models import FrozenTeacher, build_model

HOOKS = dict(
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    distill_schedule=dict(type='mmkd.DistillScheduleHook'),
    start_table=dict(type='mmkd.StartTableHook'),
    export_student=dict(type='mmkd.ExportStudentHook'),
)
CLASSES = ('road', 'car', 'tree', 'sky')
HEAD = 'methods.dual_head.head.classifier.weight'
METHODS = dict(
    dual_head=dict(type='DualHead', weight=0.5),
    kd=dict(type='LogitsKD', weight=0.5, task_weight=0.5),
)


def write_pixels(root: Path) -> dict[str, Any]:
    """Street scenes and their label maps, and the dataset that reads them."""
    for name in ('images', 'labels'):
        (root / name).mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(8):
        labels = random.integers(len(CLASSES), size=(32, 32)).astype(np.uint8)
        image = 60 * labels[..., None] + random.integers(40, size=(32, 32, 3))
        labels[random.random(labels.shape) < 0.1] = 255
        cv2.imwrite(str(root / f'images/{number}.png'), image)
        cv2.imwrite(str(root / f'labels/{number}.png'), labels)
    return dict(
        type='BaseSegDataset',
        data_root=str(root),
        data_prefix=dict(img_path='images', seg_map_path='labels'),
        img_suffix='.png',
        metainfo=dict(classes=CLASSES),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
    )


def write_images(root: Path) -> dict[str, Any]:
    random = np.random.default_rng(0)
    for number in range(8):
        folder = root / CLASSES[number % 4]
        folder.mkdir(parents=True, exist_ok=True)
        image = 60 * (number % 4) + random.integers(40, size=(16, 16, 3))
        cv2.imwrite(str(folder / f'{number}.png'), image)
    return dict(
        type='CustomDataset',
        data_prefix=str(root),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='PackInputs'),
        ],
    )


@pytest.fixture
def settings(tiny: Any, task: str) -> dict[str, Any]:
    """A config for 4 iterations in the task's usual kind of loop.

    Neither the pipelines nor the models are random: MMEngine
    resumes the order of the data, not the state of random generators.
    """
    write = write_pixels if task == 'pixels' else write_images
    epochs = task == 'images'
    return dict(
        default_scope='mmseg' if task == 'pixels' else 'mmpretrain',
        model=dict(
            type='mmkd.Distiller',
            student=tiny.model(task),
            teacher=tiny.teacher(tiny.model(task, width=8)),
            methods=METHODS,
        ),
        train_dataloader=dict(
            batch_size=4,
            num_workers=0,
            dataset=write(tiny.folder / 'data'),
            sampler=dict(
                type='DefaultSampler' if epochs else 'InfiniteSampler', shuffle=True
            ),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2)
        if epochs
        else dict(by_epoch=False, max_iters=4),
        optim_wrapper=dict(
            type='mmkd.GradientAlignOptimWrapper' if epochs else 'OptimWrapper',
            optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-3),
        ),
        param_scheduler=dict(type='PolyLR', end=4, by_epoch=False),
        default_hooks=dict(
            checkpoint=dict(
                type='CheckpointHook', interval=1 if epochs else 2, by_epoch=epochs
            ),
            logger=dict(type='LoggerHook', interval=1),
            **HOOKS,
        ),
        log_processor=dict(by_epoch=epochs),
        log_level='ERROR',
        randomness=dict(seed=3),
    )


def trained(settings: dict[str, Any], work_dir: Path, **changes: Any) -> Runner:
    # Not from_cfg, which formats the config for the log and each checkpoint,
    # at ten times the cost of everything else here.
    runner = Runner(
        **copy.deepcopy(settings | changes),
        work_dir=str(work_dir),
        experiment_name=f'{work_dir.parent.name}_{work_dir.name}',
    )
    runner.train()
    return runner


def assert_equal(one: Any, other: Any, place: str = '') -> None:
    if isinstance(one, torch.Tensor):
        assert one.equal(other), place
    elif isinstance(one, dict):
        assert one.keys() == other.keys(), place
        for key in one:
            assert_equal(one[key], other[key], f'{place}.{key}')
    elif isinstance(one, list):
        for number, pair in enumerate(zip(one, other, strict=True)):
            assert_equal(*pair, f'{place}.{number}')
    else:
        assert one == other, place


def test_resumed_run_ends_like_an_uninterrupted_one(
    settings: dict[str, Any], tiny: Any, task: str
) -> None:
    half, whole = (
        ('epoch_1.pth', 'epoch_2.pth')
        if task == 'images'
        else ('iter_2.pth', 'iter_4.pth')
    )
    first, second = tiny.folder / 'first', tiny.folder / 'second'
    start = build_model(tiny.model(task)).state_dict()

    trained(settings, first)
    resumed = trained(settings, second, load_from=str(first / half), resume=True)

    assert resumed.iter == 4
    one, other = safe_load(first / whole), safe_load(second / whole)
    assert_equal(one['state_dict'], other['state_dict'])
    assert_equal(one['optimizer'], other['optimizer'])
    assert_equal(one['param_schedulers'], other['param_schedulers'])
    before = safe_load(first / half)['state_dict']
    for name in (HEAD, 'backbone.layer2.1.conv2.weight'):
        assert not before[name].equal(one['state_dict'][name]), name
    own = {key for key in one['state_dict'] if key[:8] != 'methods.'}
    assert own == set(start)
    assert (first / 'student.pth').exists()
    log = ''.join(path.read_text() for path in first.rglob('scalars.json'))
    for name in ('task_loss', 'distill.dual_head.loss', 'distill.kd.loss'):
        assert f'"{name}"' in log

    frozen = FrozenTeacher(tiny.model(task), str(first / whole))
    assert_equal(
        dict(frozen.model.state_dict()),
        {key: one['state_dict'][key] for key in start},
    )


def test_averaged_student_is_saved_and_resumed(
    settings: dict[str, Any], tiny: Any, task: str
) -> None:
    if task == 'images':
        settings['train_cfg'] = dict(by_epoch=False, max_iters=3)
        settings['log_processor'] = dict(by_epoch=False)
        settings['train_dataloader']['sampler']['type'] = 'InfiniteSampler'
    else:
        settings['train_cfg']['max_iters'] = 3
    settings['default_hooks']['checkpoint'].update(interval=1, by_epoch=False)
    hooks = [dict(type='EMAHook', momentum=0.5)]

    first = trained(settings, tiny.folder / 'first', custom_hooks=hooks)
    second = trained(
        settings,
        tiny.folder / 'second',
        custom_hooks=hooks,
        load_from=str(tiny.folder / 'first/iter_2.pth'),
        resume=True,
    )

    one, other = (
        safe_load(tiny.folder / name / 'iter_3.pth') for name in ('first', 'second')
    )
    assert_equal(one['state_dict'], other['state_dict'])
    assert_equal(one['ema_state_dict'], other['ema_state_dict'])
    trained_last = first.model.state_dict()
    for key, value in one['ema_state_dict'].items():
        if key.startswith('module.'):
            assert value.equal(trained_last[key[7:]]), key
    assert not one['state_dict'][HEAD].equal(trained_last[HEAD])
    student = build_model(tiny.model(task))
    report = student.load_state_dict(one['state_dict'], strict=False)
    assert report.missing_keys == []
    assert all(key[:8] == 'methods.' for key in report.unexpected_keys)
    assert not is_model_wrapper(second.model)
