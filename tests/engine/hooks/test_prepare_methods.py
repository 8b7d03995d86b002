from typing import Any

import pytest
import torch

HOOKS = dict(prepare_methods=dict(type='mmkd.PrepareMethodsHook'))
AVERAGE = [dict(type='EMAHook')]
Seen = dict[str, list[Any]]


@pytest.fixture
def seen(distiller: Any) -> Seen:
    """The training sets that each method has seen."""
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


def runner_with_names(tiny: Any, task: str, names: Any, methods: Any = None) -> Any:
    """A runner whose training set has the classes cat, dog, eel and fox."""
    teacher = tiny.teacher(tiny.model(task, width=8))
    content = torch.load(teacher['checkpoint'])
    meta = dict(dataset_meta=dict(classes=names))
    torch.save(content | dict(meta=meta), teacher['checkpoint'])
    distiller = tiny.distiller(task, methods, teacher=teacher)
    return tiny.runner(distiller, task, default_hooks=HOOKS)


def test_the_teachers_classes_are_matched(tiny: Any, task: str) -> None:
    runner = runner_with_names(tiny, task, ('Eel', 'fox', 'dog', 'cat'))

    runner.call_hook('before_run')
    assert runner.model.teacher.classes.channels is None
    runner.train()

    assert runner.model.teacher.classes.channels.tolist() == [3, 2, 0, 1]


def test_a_teacher_of_other_classes_is_refused(tiny: Any, task: str) -> None:
    runner = runner_with_names(tiny, task, ('cat', 'cow', 'eel', 'fox'))

    with pytest.raises(ValueError, match=r'cat, dog, eel, fox.*cat, cow, eel, fox'):
        runner.train()


def test_features_are_of_no_class(tiny: Any, task: str) -> None:
    feature = dict(fitnet=dict(type='FitNet', stage=0))
    runner = runner_with_names(tiny, task, ('cat', 'cow', 'eel', 'fox'), feature)

    runner.train()

    assert runner.model.teacher.classes.channels is None
