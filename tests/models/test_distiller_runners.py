"""Distillers under MMEngine's other runners, strategies and options."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.runner import Runner
from mmengine.runner._flexible_runner import FlexibleRunner
from torch import Tensor, distributed
from torch._dynamo.utils import counters
from torch._functorch import config as compiler_config

from mmkd.checkpoints.loading import safe_load
from mmkd.models import build_model
from mmkd.models.taps import STANDING

ALIGNED = 'mmkd.GradientAlignOptimWrapper'
DDP = dict(type='DDPStrategy', model_wrapper=dict(type='mmkd.AnyDeviceDataParallel'))
FSDP = dict(
    type='FSDPStrategy',
    model_wrapper=dict(type='MMFullyShardedDataParallel', device_id='cpu'),
)
HOOKS = dict(
    prepare_methods=dict(type='mmkd.PrepareMethodsHook'),
    distill_schedule=dict(type='mmkd.DistillScheduleHook'),
)
Train = Callable[..., Runner]


@pytest.fixture
def train(tiny: Any) -> Train:
    """Train a fresh distiller on noise for two epochs of two iterations."""
    numbers = iter(range(100))

    def run(
        kind: Any = Runner, wrapper: str = ALIGNED, start: int = 0, **settings: Any
    ) -> Runner:
        model = tiny.distiller(
            'images', dict(dual_head=dict(type='DualHead', start=start))
        )
        optimizer = dict(type='SGD', lr=0.1, momentum=0.9)
        runner = tiny.runner(
            model,
            name=f'run_{next(numbers)}',
            kind=kind,
            optim_wrapper=dict(type=wrapper, optimizer=optimizer),
            default_hooks=HOOKS,
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


@pytest.mark.parametrize('wrapper', ['OptimWrapper', ALIGNED])
def test_a_compiled_distiller_trains_alike(
    train: Train, tiny: Any, wrapper: str
) -> None:
    """The distillation loss starts when the task's is already compiled."""
    settings = dict(wrapper=wrapper, start=1)
    expected = checkpoint(train(**settings))
    start = tiny.distiller('images').state_dict()
    with compiler_config.patch(donated_buffer=True):
        compiled = train(**settings, cfg=dict(compile=dict(backend='aot_eager')))
    found = checkpoint(compiled)
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-6)
    head = 'methods.dual_head.head.classifier.weight'
    assert not torch.equal(found[head], start[head])


def test_a_compiled_step_is_cut_no_more_than_its_students(tiny: Any) -> None:
    graphs, plain, distiller = [], tiny.plain('images'), tiny.distiller('images')
    for name, model, hooks in (('plain', plain, {}), ('distiller', distiller, HOOKS)):
        torch._dynamo.reset()
        counters.clear()
        compiled = dict(compile=dict(backend='eager'))
        tiny.runner(model, name=name, default_hooks=hooks, cfg=compiled).train()
        graphs.append(counters['stats']['unique_graphs'])
    assert graphs[0] == graphs[1] > 0


def test_a_compiled_training_leaves_the_networks_as_they_were(train: Train) -> None:
    runner = train(cfg=dict(compile=dict(backend='eager')))
    for model in (runner.model, runner.model.teacher.model):
        assert STANDING not in vars(model)
        assert not any('Observed' in type(m).__name__ for m in model.modules())


def test_the_averaged_copy_shares_the_teacher(train: Train, tiny: Any) -> None:
    runner = train(custom_hooks=[dict(type='EMAHook', momentum=0.5)])
    [hook] = [hook for hook in runner.hooks if isinstance(hook, EMAHook)]
    average = hook.ema_model.module
    assert average.teacher.model is runner.model.teacher.model
    assert average.student_view.model is average
    names = dict(average.named_parameters())
    assert names.keys() == dict(runner.model.named_parameters()).keys()
    assert not any('teacher' in name for name in hook.ema_model.state_dict())
    build_model(tiny.model('images')).load_state_dict(
        {k: v for k, v in checkpoint(runner).items() if not k.startswith('methods.')},
        strict=True,
    )
