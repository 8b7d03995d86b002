from typing import Any

import pytest

HOOKS = dict(prepare_methods=dict(type='mmkd.PrepareMethodsHook'))
AVERAGE = [dict(type='EMAHook')]
Seen = dict[str, list[Any]]


@pytest.fixture
def seen(distiller: Any) -> Seen:
    """The training sets that each method is shown."""
    shown: Seen = {name: [] for name in distiller.methods}
    for name, method in distiller.named_methods.items():
        method.prepare = shown[name].append
    return shown


def test_every_method_sees_the_training_set_once(
    distiller: Any, seen: Seen, runner_of: Any
) -> None:
    runner = runner_of(distiller, default_hooks=HOOKS)
    runner.train()
    dataset = runner.train_dataloader.dataset
    assert seen == dict(dual_head=[dataset], kd=[dataset])


def test_it_comes_before_averaging_and_loading(
    distiller: Any, seen: Seen, runner_of: Any
) -> None:
    runner = runner_of(distiller, default_hooks=HOOKS, custom_hooks=AVERAGE)
    runner.load_or_resume = lambda: counts.append(len(seen['kd']))
    counts: list[int] = []
    runner.train()
    assert counts == [1]
    names = [type(hook).__name__ for hook in runner.hooks]
    assert names.index('PrepareMethodsHook') < names.index('EMAHook')


def test_validation_does_not_build_the_training_set(
    distiller: Any, seen: Seen, runner_of: Any
) -> None:
    runner = runner_of(distiller, default_hooks=HOOKS)
    runner.call_hook('before_run')
    assert seen == dict(dual_head=[], kd=[])
    assert isinstance(runner._train_loop, dict)
