from typing import Any

import pytest
from torch import nn

HOOKS = [dict(type='EMAHook'), dict(type='mmkd.PrepareMethodsHook')]


class Recorder(nn.Module):
    """Notes the training sets it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def prepare(self, dataset: Any) -> None:
        self.seen.append(dataset)


@pytest.fixture
def methods(distiller: Any) -> list[Recorder]:
    distiller.methods.update(dict(first=Recorder(), second=Recorder()))
    for name in ('dual_head', 'crd'):
        distiller.methods[name].prepare = lambda dataset: None
    return [distiller.methods['first'], distiller.methods['second']]


def test_every_method_sees_the_training_set_once(
    distiller: Any, methods: list[Recorder], runner_of: Any
) -> None:
    runner = runner_of(distiller, custom_hooks=HOOKS)
    runner.train()
    for method in methods:
        assert method.seen == [runner.train_dataloader.dataset]


def test_it_comes_before_averaging_and_loading(
    distiller: Any, methods: list[Recorder], runner_of: Any
) -> None:
    runner = runner_of(distiller, custom_hooks=HOOKS)
    runner.load_or_resume = lambda: states.append(list(methods[0].seen))
    states: list[Any] = []
    runner.train()
    assert states == [methods[0].seen]
    names = [type(hook).__name__ for hook in runner.hooks]
    assert names.index('PrepareMethodsHook') < names.index('EMAHook')


def test_validation_does_not_build_the_training_set(
    distiller: Any, methods: list[Recorder], runner_of: Any
) -> None:
    runner = runner_of(distiller, custom_hooks=HOOKS)
    runner.call_hook('before_run')
    assert methods[0].seen == []
    assert isinstance(runner._train_loop, dict)
