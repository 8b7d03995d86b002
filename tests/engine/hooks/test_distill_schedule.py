from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_models import Tiny
from torch._dynamo import config as compiler_config
from torch.utils.data import DataLoader, IterableDataset
from two_processes import in_two_processes

from mmkd.engine.hooks import distill_schedule
from mmkd.models import Distiller

HOOK = dict(distill_schedule=dict(type='mmkd.DistillScheduleHook'))
BY_ITERATION = dict(by_epoch=False, max_iters=4)
Build = Callable[..., Runner]


class Endless(IterableDataset):
    """Data of unknown length."""

    def __init__(self, batch: dict[str, Any]) -> None:
        self.batch = batch

    def __iter__(self) -> Any:
        while True:
            yield self.batch


class Recorder:
    """Record the factors that every training step sees."""

    def __init__(self, distiller: Distiller) -> None:
        self.seen: dict[str, list[Any]] = {name: [] for name in distiller.methods}
        step = distiller.train_step

        def train_step(*args: Any, **kwargs: Any) -> Any:
            for name, method in distiller.named_methods.items():
                self.seen[name].append(method.schedule_factor)
            return step(*args, **kwargs)

        distiller.train_step = train_step


@pytest.fixture
def scheduled(tiny: Any) -> Callable[..., Distiller]:
    """A distiller whose methods have given schedules."""

    def build(dual_head: dict[str, Any], **kd: Any) -> Distiller:
        methods = dict(
            dual_head=dict(type='DualHead', **dual_head),
            kd=dict(type='LogitsKD', **kd),
        )
        return tiny.distiller('images', methods)

    return build


def test_an_epoch_based_loop_counts_epochs(scheduled: Any, runner_of: Build) -> None:
    distiller = scheduled(dict(stop=1), warmup=2)
    recorder = Recorder(distiller)

    runner = runner_of(distiller, default_hooks=HOOK)
    runner.train()

    assert recorder.seen == dict(dual_head=[1, 1, 0, 0], kd=[0.5, 0.5, 1, 1])
    history = runner.message_hub.get_scalar('train/kd_schedule_factor')
    assert history.data[0].tolist() == [0.5, 0.5, 1.0, 1.0]


def test_an_iteration_based_loop_counts_iterations(
    scheduled: Any, runner_of: Build
) -> None:
    distiller = scheduled(dict(warmup=4), start=2)
    recorder = Recorder(distiller)

    runner_of(distiller, default_hooks=HOOK, train_cfg=BY_ITERATION).train()

    assert recorder.seen == dict(dual_head=[0.25, 0.5, 0.75, 1], kd=[0, 0, 1, 1])


def test_a_schedule_counts_what_it_says_and_not_what_the_loop_does(
    scheduled: Any, runner_of: Build
) -> None:
    distiller = scheduled(dict(warmup=4, by_epoch=True), start=3, by_epoch=False)
    recorder = Recorder(distiller)
    runner_of(distiller, default_hooks=HOOK).train()
    assert recorder.seen == dict(dual_head=[0.25, 0.25, 0.5, 0.5], kd=[0, 0, 0, 1])

    # Eight images in batches of four are an epoch of two iterations.
    distiller = scheduled(dict(warmup=4, by_epoch=True), start=3, by_epoch=False)
    recorder = Recorder(distiller)
    runner_of(distiller, 'other', default_hooks=HOOK, train_cfg=BY_ITERATION).train()
    assert recorder.seen == dict(dual_head=[0.25, 0.25, 0.5, 0.5], kd=[0, 0, 0, 1])


def test_an_epoch_is_that_of_all_processes(
    scheduled: Any, runner_of: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(distill_schedule, 'get_world_size', lambda: 2)
    distiller = scheduled(dict(warmup=4, by_epoch=True))
    recorder = Recorder(distiller)
    runner_of(distiller, default_hooks=HOOK, train_cfg=BY_ITERATION).train()
    assert recorder.seen['dual_head'] == [0.25, 0.5, 0.75, 1]


def test_epochs_of_data_without_a_length_are_refused(
    scheduled: Any, runner_of: Build, tiny: Any
) -> None:
    runner = runner_of(
        scheduled({}, warmup=4, by_epoch=True),
        default_hooks=HOOK,
        train_cfg=BY_ITERATION,
        train_dataloader=DataLoader(Endless(tiny.batch('images', count=4))),
    )
    with pytest.raises(ValueError, match=r'methods\.kd counts epochs .*by_epoch=False'):
        runner.train()


def test_a_resumed_run_goes_on_where_it_was(scheduled: Any, runner_of: Build) -> None:
    runner_of(scheduled({}, warmup=4), default_hooks=HOOK).train()
    distiller = scheduled({}, warmup=4)
    recorder = Recorder(distiller)

    loop = dict(by_epoch=True, max_epochs=3)
    runner_of(distiller, default_hooks=HOOK, train_cfg=loop, resume=True).train()

    assert recorder.seen == dict(dual_head=[1, 1], kd=[0.75, 0.75])


@pytest.mark.parametrize('resume', [False, True])
def test_the_log_shows_no_old_value_of_a_method_that_stopped(
    scheduled: Any, runner_of: Build, resume: bool
) -> None:
    if resume:
        loop = dict(by_epoch=True, max_epochs=1)
        runner_of(scheduled({}, stop=1), default_hooks=HOOK, train_cfg=loop).train()
    runner = runner_of(scheduled({}, stop=1), default_hooks=HOOK, resume=resume)
    runner.train()

    logged = runner.message_hub.log_scalars
    assert not [key for key in logged if 'distill.kd.' in key]
    assert [key for key in logged if 'distill.dual_head.' in key]


def test_methods_without_a_schedule_have_no_factor_in_the_log(
    distiller: Distiller, runner_of: Build
) -> None:
    runner = runner_of(distiller, default_hooks=HOOK)
    runner.train()

    assert not [key for key in runner.message_hub.log_scalars if 'schedule' in key]
    assert all(m.schedule_factor == 1 for m in distiller.named_methods.values())


def test_a_schedule_without_the_hook_stops_the_first_iteration(
    scheduled: Any, runner_of: Build
) -> None:
    runner = runner_of(scheduled({}, stop=1))

    with pytest.raises(RuntimeError, match=r'LogitsKD .*DistillScheduleHook'):
        runner.train()


def test_a_method_starts_in_a_model_that_is_compiled_already(
    scheduled: Any, runner_of: Build
) -> None:
    """Its taps are called, although they were not when the model was compiled."""
    distiller = scheduled(dict(start=1))
    before = distiller.methods['dual_head'].head.classifier.weight.clone()
    distiller.forward = torch.compile(distiller.forward, backend='eager')

    with compiler_config.patch(skip_nnmodule_hook_guards=True):
        runner_of(distiller, default_hooks=HOOK).train()

    after = distiller.methods['dual_head'].head.classifier.weight
    assert not torch.equal(after, before)


@pytest.mark.parametrize(
    ('loop', 'start', 'end'),
    [({}, 2, '2 epochs'), (dict(train_cfg=BY_ITERATION), 3.5, '4 iterations')],
)
def test_a_method_that_starts_after_the_end_is_refused(
    scheduled: Any, runner_of: Build, loop: dict[str, Any], start: float, end: str
) -> None:
    runner = runner_of(scheduled({}, start=start), default_hooks=HOOK, **loop)

    with pytest.raises(ValueError, match=rf'kd is never active.* {start}.* has {end}'):
        runner.train()


def test_a_method_without_weight_may_start_whenever(
    scheduled: Any, runner_of: Build
) -> None:
    distiller = scheduled({}, start=2, weight=0.0)
    runner_of(distiller, default_hooks=HOOK).train()


OPTIMISERS: dict[str, Any] = dict(
    sgd=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=0.1),
    adamw=dict(type='AdamW', lr=0.1, weight_decay=0.1),
)


def unchanged_epochs(tiny: Tiny, optimiser: str, aligned: bool, **more: Any) -> Any:
    """Whether each parameter of a method keeps its value, in three epochs."""
    method = dict(type='DualHead', start=2, gradient_alignment=aligned)
    distiller = tiny.distiller('images', dict(dual_head=method))
    parameters = [*distiller.methods['dual_head'].parameters()]
    before = [value.detach().clone() for value in parameters]
    found = []

    class Look(Hook):
        def after_train_epoch(self, runner: Runner) -> None:
            found.append(list(map(torch.equal, parameters, before)))

    tiny.runner(
        distiller,
        default_hooks=HOOK,
        custom_hooks=[Look()],
        optim_wrapper=dict(
            constructor='mmkd.DistillOptimWrapperConstructor',
            optimizer=OPTIMISERS[optimiser],
        ),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        **more,
    ).train()
    return found


@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('optimiser', OPTIMISERS)
def test_a_method_begins_from_its_initialisation(
    optimiser: str, aligned: bool, tiny: Tiny
) -> None:
    """Weight decay does not change it before."""
    *idle, active = unchanged_epochs(tiny, optimiser, aligned)
    assert all(map(all, idle))
    assert not any(active)


def test_so_it_does_in_two_processes(tmp_path: Path) -> None:
    """Data parallelism waits for its gradients all the same."""
    parallel = Config(dict(model_wrapper_cfg=dict(type='mmkd.AnyDeviceDataParallel')))

    def train(rank: int) -> Any:
        settings: Any = dict(launcher='pytorch', cfg=parallel)
        return unchanged_epochs(Tiny(tmp_path), 'sgd', False, **settings)

    for *idle, active in in_two_processes(train, tmp_path):
        assert all(map(all, idle))
        assert not any(active)
