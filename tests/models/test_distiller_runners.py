"""Distillers under MMEngine's other runners, strategies and options."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner
from torch import Tensor, distributed
from torch._functorch import config as compiler_config

from mmkd.checkpoint import safe_load
from mmkd.models import build_model

ALIGNED = 'mmkd.GradientAlignOptimWrapper'
DDP = dict(type='DDPStrategy', model_wrapper=dict(type='mmkd.AnyDeviceDataParallel'))
FSDP = dict(
    type='FSDPStrategy',
    model_wrapper=dict(type='MMFullyShardedDataParallel', device_id='cpu'),
)
LATER = dict(dual_head=dict(type='DualHead', start=1))
SCHEDULE = dict(type='mmkd.DistillScheduleHook')
Train = Callable[..., Runner]


@pytest.fixture
def train(tiny: Any, tmp_path: Path) -> Train:
    """Train a fresh distiller on noise for two epochs of two iterations."""
    batch = tiny.batch('images', count=8)
    samples = [
        dict(inputs=image, data_samples=sample)
        for image, sample in zip(batch['inputs'], batch['data_samples'], strict=True)
    ]
    numbers = iter(range(100))

    def run(kind: Any = Runner, wrapper: str = ALIGNED, **settings: Any) -> Runner:
        name = f'run_{next(numbers)}'
        hooks = settings.pop('custom_hooks', [dict(type='mmkd.PrepareMethodsHook')])
        runner = kind(
            tiny.distiller('images', settings.pop('methods', None)),
            work_dir=str(tmp_path / name),
            train_dataloader=dict(
                batch_size=4,
                num_workers=0,
                dataset=samples,
                sampler=dict(type='DefaultSampler', shuffle=False),
                collate_fn=pseudo_collate,
            ),
            train_cfg=dict(by_epoch=True, max_epochs=2),
            optim_wrapper=dict(
                type=wrapper, optimizer=dict(type='SGD', lr=0.1, momentum=0.9)
            ),
            custom_hooks=hooks,
            randomness=dict(seed=0),
            experiment_name=f'{tmp_path.name}_{name}',
            log_level='ERROR',
            **settings,
        )
        runner.train()
        return runner

    return run


@pytest.fixture
def group(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A group of one process."""
    monkeypatch.setenv('LOCAL_RANK', '0')
    store = distributed.HashStore()
    distributed.init_process_group('gloo', store=store, rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def checkpoint(runner: Runner) -> dict[str, Tensor]:
    return safe_load(Path(runner.work_dir) / 'epoch_2.pth')['state_dict']


def test_the_flexible_runner_trains_alike(train: Train) -> None:
    expected = checkpoint(train())
    for name, value in checkpoint(train(FlexibleRunner)).items():
        assert torch.equal(value, expected[name]), name


@pytest.mark.usefixtures('group')
def test_the_strategy_for_data_parallelism_trains_alike(train: Train) -> None:
    expected = checkpoint(train())
    found = checkpoint(train(FlexibleRunner, strategy=DDP, launcher='pytorch'))
    # This strategy saves the wrapper's names, which MMEngine strips on loading.
    for name, value in found.items():
        assert torch.equal(value, expected[name.removeprefix('module.')]), name


@pytest.mark.usefixtures('group')
def test_sharding_is_refused_with_what_to_use(train: Train) -> None:
    with pytest.raises(TypeError, match=r"cannot be sharded.*type='DDPStrategy'"):
        train(FlexibleRunner, 'OptimWrapper', strategy=FSDP, launcher='pytorch')


@pytest.mark.soak
@pytest.mark.parametrize('wrapper', ['OptimWrapper', ALIGNED])
def test_a_compiled_distiller_trains_alike(
    train: Train, tiny: Any, wrapper: str
) -> None:
    """The distillation loss starts when the task's is compiled already."""
    settings = dict(wrapper=wrapper, custom_hooks=[SCHEDULE], methods=LATER)
    expected = checkpoint(train(**settings))
    start = tiny.distiller('images', LATER).state_dict()
    with compiler_config.patch(donated_buffer=True):
        compiled = train(**settings, cfg=dict(compile=dict(backend='aot_eager')))
    found = checkpoint(compiled)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
    head = 'methods.dual_head.head.classifier.weight'
    assert not torch.equal(found[head], start[head])


def test_the_averaged_copy_shares_the_teacher(train: Train, tiny: Any) -> None:
    runner = train(custom_hooks=[dict(type='EMAHook', momentum=0.5)])
    [hook] = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    average = hook.ema_model.module
    assert average.teacher is runner.model.teacher
    assert average is not runner.model
    names = dict(average.named_parameters())
    assert names.keys() == dict(runner.model.named_parameters()).keys()
    assert not any('teacher' in name for name in hook.ema_model.state_dict())
    build_model(tiny.model('images')).load_state_dict(
        {k: v for k, v in checkpoint(runner).items() if not k.startswith('methods.')},
        strict=True,
    )
