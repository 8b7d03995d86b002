"""A training resumes from its own checkpoints only."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.registry import HOOKS
from mmengine.runner import Runner
from tiny_models import Tiny
from two_processes import in_two_processes

from mmkd.checkpoints.loading import safe_load
from mmkd.resilience import protect
from mmkd.resilience.same_run import LATER

OPTIMISER = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9))
SCHEDULE = dict(type='PolyLR', end=8, by_epoch=False)
CONFIG = dict(optim_wrapper=OPTIMISER, param_scheduler=SCHEDULE)


MORE = [dict(inputs=torch.full((4,), float(number))) for number in range(12)]


def loader(size: int) -> dict[str, Any]:
    sampler = dict(type='DefaultSampler')
    return dict(batch_size=size, num_workers=0, dataset={}, sampler=sampler)


def with_config(**changes: Any) -> dict[str, Any]:
    """Settings of a runner built from a config, as in the tools."""
    settings = {**CONFIG, **changes}
    return dict(cfg=Config(settings), **settings)


def read_by(dataset: dict[str, Any]) -> dict[str, Any]:
    """Settings of a runner whose config describes a data set."""
    cfg = Config(dict(CONFIG, train_dataloader=dict(dataset=dataset)))
    return dict(CONFIG, cfg=cfg)


def resume(trainer: Callable[..., Runner], **changes: Any) -> None:
    trainer(resume=True, **{**with_config(), **changes}).train()


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            with_config(optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.2))),
            r'optim_wrapper\.optimizer\.lr was 0\.1 and is 0\.2; '
            r'optim_wrapper\.optimizer\.momentum was 0\.9 and is not set',
        ),
        (
            with_config(param_scheduler=dict(SCHEDULE, end=16)),
            r'param_scheduler\.end was 8 and is 16',
        ),
        (
            dict(train_dataloader=loader(2)),
            r'train_dataloader\.batch_size x processes was 3 and is 2\. The same total '
            r'batch size with 1 processes is train_dataloader\.batch_size=3\.',
        ),
        (dict(data=MORE), r'train_dataloader\.dataset: samples was 11 and is 12'),
        (
            with_config(optim_wrapper=dict(OPTIMISER, accumulative_counts=2)),
            r'optim_wrapper\.accumulative_counts was 1 and is 2',
        ),
        (
            with_config(
                optim_wrapper=dict(OPTIMISER, paramwise_cfg=dict(bias_lr_mult=2))
            ),
            r'optim_wrapper\.paramwise_cfg\.bias_lr_mult was not set and is 2',
        ),
        (
            dict(
                cfg=Config(dict(CONFIG, train_dataloader=dict(sampler=dict(seed=1)))),
                **CONFIG,
            ),
            r'train_dataloader\.sampler\.seed was not set and is 1',
        ),
        (
            dict(train_dataloader=dict(loader(3), drop_last=True)),
            r'train_dataloader\.drop_last was False and is True',
        ),
        (
            with_config(auto_scale_lr=dict(enable=True, base_batch_size=6)),
            r'auto_scale_lr\.base_batch_size was None and is 6',
        ),
        (
            with_config(optim_wrapper=dict(OPTIMISER, clip_grad=dict(max_norm=3))),
            r'optim_wrapper\.clip_grad\.max_norm was not set and is 3',
        ),
        (
            dict(CONFIG, cfg=Config(dict(CONFIG, optim_wrapper=dict(type='Mine')))),
            r'optim_wrapper\.type was OptimWrapper and is Mine',
        ),
        (
            read_by(dict(type='A', pipeline=[dict(type='Flip', prob=0.2)])),
            r'train_dataloader\.dataset\.pipeline\.0\.type was not set and is Flip',
        ),
        (
            read_by(dict(datasets=[dict(dataset=dict(pipeline=[dict(size=9)]))])),
            r'train_dataloader\.dataset\.datasets\.0\.dataset\.pipeline\.0\.size was',
        ),
        (
            with_config(data_preprocessor=dict(mean=[1.0])),
            r'data_preprocessor\.mean\.0 was not set and is 1\.0',
        ),
        (
            dict(custom_hooks=[dict(type='EMAHook')]),
            r'custom_hooks\.EMAHook\.0\.type was not set and is Expon',
        ),
    ],
)
@pytest.mark.parametrize('by_epoch', [False, True])
def test_another_batch_or_schedule_is_refused_with_both_values(
    by_epoch: bool, changes: Any, message: str, trainer: Callable[..., Runner]
) -> None:
    kind = dict(by_epoch=by_epoch, length=4 if by_epoch else 8)
    trainer(**kind, **with_config()).train()
    expected = rf'_\d\.pth is from another training: .*{message}.*load_from='
    with pytest.raises(ValueError, match=expected):
        resume(trainer, **kind, **changes)


@pytest.mark.parametrize(
    ('hooks', 'message'),
    [
        ([], r'EMAHook\.0\.type was ExponentialMovingAverage and is not set'),
        ([dict(type='EMAHook')], r'EMAHook\.0\.momentum was 0\.1 and is not set'),
        ([dict(type='Average', momentum=0.1, begin_iter=2)], r'begin_iter was 0 and'),
    ],
)
def test_another_average_is_refused(
    hooks: list[dict[str, Any]], message: str, trainer: Callable[..., Runner]
) -> None:
    """Its weights are the checkpoint's: a training without it would go on from them."""
    averaged = [dict(type='EMAHook', momentum=0.1)]
    trainer(custom_hooks=averaged).train()
    HOOKS.register_module('Average', module=type('Average', (EMAHook,), {}))
    harmless = dict(type='IterTimerHook')
    try:
        with pytest.raises(ValueError, match=message):
            trainer(resume=True, length=9, custom_hooks=[*hooks, harmless]).train()
    finally:
        HOOKS.module_dict.pop('Average')
    trainer(resume=True, length=9, custom_hooks=[harmless, *averaged]).train()


@pytest.mark.parametrize(('own', 'refused'), [(None, True), (dict(mean=[1.0]), False)])
def test_the_normalisation_of_a_plain_student_is_that_of_its_model(
    own: Any, refused: bool, trainer: Callable[..., Runner]
) -> None:
    model = dict(type='Net') if own is None else dict(type='Net', data_preprocessor=own)

    def with_mean(mean: float) -> dict[str, Any]:
        return dict(cfg=Config(dict(model=model, data_preprocessor=dict(mean=[mean]))))

    trainer(**with_mean(1.0)).train()
    again = trainer(resume=True, length=9, **with_mean(2.0))
    if refused:
        with pytest.raises(ValueError, match=r'data_preprocessor\.mean\.0 was 1\.0'):
            again.train()
    else:
        again.train()


@pytest.mark.parametrize(
    ('by_epoch', 'length', 'past'),
    [(False, 8, False), (False, 7, True), (True, 2, False), (True, 1, True)],
)
def test_a_training_cannot_be_shorter_than_what_was_trained(
    by_epoch: bool, length: int, past: bool, trainer: Callable[..., Runner]
) -> None:
    trainer(by_epoch=by_epoch, length=2 if by_epoch else 8).train()
    shorter = trainer(by_epoch=by_epoch, length=length, resume=True)
    if past:
        message = r'was \d and is \d, which is \d iterations, but .* has trained 8'
        with pytest.raises(ValueError, match=message):
            shorter.train()
    else:
        shorter.train()


def test_a_longer_training_is_told_that_it_goes_on(
    trainer: Callable[..., Runner], caplog: pytest.LogCaptureFixture
) -> None:
    trainer(**with_config()).train()
    longer = trainer(resume=True, length=12, **with_config())
    with caplog.at_level(logging.WARNING):
        longer.logger.addHandler(caplog.handler)
        longer.train()
    assert 'train_cfg.max_iters was 8 and is 12' in caplog.text
    assert longer.iter == 12


def test_what_holds_no_note_is_taken_as_it_is(trainer: Callable[..., Runner]) -> None:
    """Such as checkpoints of MMEngine's own hook."""
    first = trainer(**with_config())
    first.train()
    path = Path(first.work_dir, 'iter_8.pth')
    checkpoint = safe_load(path)
    for note in ('identity', 'training'):
        del checkpoint['meta'][note]
    torch.save(checkpoint, path)
    resume(trainer, length=9, **with_config(param_scheduler=dict(SCHEDULE, end=9)))


def test_what_an_older_checkpoint_does_not_note_is_not_asked_for(
    trainer: Callable[..., Runner],
) -> None:
    first = trainer(**with_config())
    first.train()
    path = Path(first.work_dir, 'iter_8.pth')
    checkpoint = safe_load(path)
    for note in LATER:
        checkpoint['meta']['training'].pop(note, None)
    torch.save(checkpoint, path)
    resume(trainer, length=9, train_dataloader=dict(loader(3), drop_last=True))


def test_data_may_move_and_wrappers_may_be_told_what_is_the_default(
    trainer: Callable[..., Runner],
) -> None:
    read = dict(type='LoadImageFromFile', backend_args=dict(backend='local'))
    there = dict(type='A', data_root='/old', pipeline=[read])
    trainer(**read_by(there)).train()
    again = [dict(read, backend_args=None)]
    moved = read_by(dict(there, data_root='/new', lazy_init=True, pipeline=again))
    wrapper = dict(OPTIMISER, type='OptimWrapper')
    moved['cfg'].merge_from_dict(dict(optim_wrapper=wrapper))
    resume(trainer, length=9, **moved)


@pytest.mark.parametrize('part', ['backbone.', 'methods.dual_head.'])
def test_a_checkpoint_that_lacks_weights_is_refused(part: str, tiny: Tiny) -> None:
    first = distilling(tiny)
    first.train()
    path = Path(first.work_dir, 'epoch_2.pth')
    checkpoint = safe_load(path)
    names = [name for name in checkpoint['state_dict'] if name.startswith(part)]
    del checkpoint['state_dict'][names[0]]
    torch.save(checkpoint, path)
    with pytest.raises(ValueError, match=rf'Missing keys: {re.escape(names[0])}'):
        distilling(tiny, resume=True).train()


def distilling(tiny: Tiny, resume: bool = False, **changes: Any) -> Runner:
    cfg = Config(dict(train_cfg=dict(by_epoch=True, max_epochs=2)))
    protect(cfg)
    settings = dict(train_cfg=cfg.train_cfg, default_hooks=cfg.default_hooks)
    return tiny.runner(
        tiny.distiller('images', **changes), 'images', resume=resume, **settings
    )


@pytest.mark.parametrize(
    ('part', 'message'),
    [
        ('student', r'student\.backbone\.stem_channels was 4 and is 6'),
        ('teacher', r'teacher was [0-9a-f]{64} and is [0-9a-f]{64}'),
        ('methods', r'methods\.dual_head\.weight was not set and is 0\.5'),
        ('task_weight', r'task_weight was 1\.0 and is 0\.5'),
    ],
)
def test_another_student_teacher_or_method_is_refused(
    part: str, message: str, tiny: Tiny
) -> None:
    distilling(tiny).train()
    distilling(tiny, resume=True).train()
    wide, other = tiny.model('images', width=6), tiny.model('images', width=8)
    changes: dict[str, Any] = dict(
        student=dict(student=wide),
        teacher=dict(teacher=tiny.teacher(other, seed=2)),
        methods=dict(methods=dict(dual_head=dict(type='DualHead', weight=0.5))),
        task_weight=dict(task_weight=0.5),
    )
    with pytest.raises(ValueError, match=rf'is from another training: .*{message}'):
        distilling(tiny, resume=True, **changes[part]).train()


def test_other_processes_keep_the_whole_batch_or_are_refused(
    trainer: Callable[..., Runner], tmp_path: Path
) -> None:
    trainer(train_dataloader=loader(4), data=MORE).train()

    def go_on(size: int) -> int:
        wrapper = dict(model_wrapper_cfg=dict(type='mmkd.AnyDeviceDataParallel'))
        runner = trainer(
            resume=True,
            length=9,
            data=MORE,
            train_dataloader=loader(size),
            launcher='pytorch',
            cfg=Config(wrapper),
        )
        runner.train()
        return runner.iter

    message = r'processes was 4 and is 8\. .* 2 processes is .*batch_size=2'
    for folder in (tmp_path / 'refused', tmp_path / 'kept'):
        folder.mkdir()
    with pytest.raises(ValueError, match=message):
        in_two_processes(lambda rank: go_on(4), tmp_path / 'refused')
    assert in_two_processes(lambda rank: go_on(2), tmp_path / 'kept') == [9, 9]
