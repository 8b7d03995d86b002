"""A distiller is its student, with methods besides the student's own parts."""

import copy
import pickle
from typing import Any

import pytest
import torch
from mmengine.config import ConfigDict
from torch import nn

from mmkd.models import Distiller, build_model
from mmkd.registry import MODELS

METHODS = dict(
    dual_head=dict(type='DualHead', head=dict(type='MLPClassifier')),
    kd=dict(type='LogitsKD'),
)
OFF = {
    'weight 0': dict(weight=0.0),
    'stopped': dict(stop=0),
}


def own(items: Any) -> list[tuple[str, Any]]:
    return [(k, v) for k, v in items if not f'{k}.'.startswith('methods.')]


def test_it_is_of_both_classes(tiny: Any, task: str) -> None:
    distiller, student = tiny.distiller(task), build_model(tiny.model(task))

    assert isinstance(distiller, Distiller)
    assert isinstance(distiller, type(student))
    assert not isinstance(student, Distiller)
    again = tiny.distiller(task)
    assert type(again) is type(distiller)
    assert type(distiller).__module__ == type(student).__module__


def test_names_are_the_students_and_the_methods(tiny: Any, task: str) -> None:
    distiller, student = tiny.distiller(task, METHODS), build_model(tiny.model(task))

    for kind in ('named_parameters', 'named_buffers', 'named_children'):
        found = list(getattr(distiller, kind)())
        names = [name for name, _ in getattr(student, kind)()]
        assert [name for name, _ in own(found)] == names
        beside = [name for name, _ in found if name not in names]
        assert all(f'{name}.'.startswith('methods.') for name in beside)
    plain = student.state_dict()
    assert list(tiny.own_state(distiller)) == list(plain)
    student.load_state_dict(tiny.own_state(distiller), strict=True)


def test_it_starts_from_the_weights_of_the_student_alone(tiny: Any, task: str) -> None:
    teacher = tiny.teacher(tiny.model(task, width=8))
    distiller = tiny.distiller(task, METHODS, teacher=teacher)
    after = torch.rand(3)
    student = tiny.plain(task)

    assert torch.equal(torch.rand(3), after)
    for key, value in tiny.own_state(distiller).items():
        assert torch.equal(student.state_dict()[key], value), key
    torch.manual_seed(7)
    distiller.init_weights()
    torch.manual_seed(7)
    student.init_weights()
    for key, value in tiny.own_state(distiller).items():
        assert torch.equal(student.state_dict()[key], value), key


@pytest.mark.parametrize(
    'init_cfg',
    [
        dict(type='Constant', layer='Linear', val=7),
        [dict(type='Constant', layer=['Linear', 'Conv2d'], val=7, bias=7)],
    ],
)
def test_initialisation_of_the_student_does_not_move_methods(
    tiny: Any, task: str, init_cfg: Any
) -> None:
    config = tiny.model(task) | dict(init_cfg=init_cfg)
    distiller = tiny.distiller(task, METHODS, student=config)
    before = copy.deepcopy(distiller.methods.state_dict())
    torch.manual_seed(0)
    student = build_model(config)

    torch.manual_seed(7)
    distiller.init_weights()
    torch.manual_seed(7)
    student.init_weights()

    for key, value in distiller.methods.state_dict().items():
        assert torch.equal(before[key], value), key
    for key, value in tiny.own_state(distiller).items():
        assert torch.equal(student.state_dict()[key], value), key


def dropping(tiny: Any, task: str) -> dict[str, Any]:
    """With dropout, which draws random numbers at every step."""
    config = tiny.model(task)
    if task == 'pixels':
        config['decode_head']['dropout_ratio'] = 0.5
    else:
        config['neck'] = [config['neck'], dict(type='mmkd.Dropout8')]
    return config


@pytest.fixture(autouse=True)
def _dropout_neck(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dropout8(nn.Module):
        def forward(self, inputs: Any) -> Any:
            return tuple(nn.functional.dropout(x, 0.5, self.training) for x in inputs)

    monkeypatch.setitem(MODELS.module_dict, 'Dropout8', Dropout8)


@pytest.mark.parametrize('off', OFF)
def test_with_methods_off_it_trains_as_the_student_alone(
    tiny: Any, task: str, off: str
) -> None:
    config = dropping(tiny, task)
    methods = {name: dict(cfg, **OFF[off]) for name, cfg in METHODS.items()}
    hooks = dict(distill_schedule=dict(type='mmkd.DistillScheduleHook'))
    distiller = tiny.distiller(task, methods, student=config)
    torch.manual_seed(0)
    student = build_model(config)
    start = copy.deepcopy(student.state_dict())

    tiny.runner(distiller, task, 'distiller', default_hooks=hooks).train()
    tiny.runner(student, task, 'student').train()

    state = tiny.own_state(distiller)
    moved = [key for key, value in state.items() if not value.equal(start[key])]
    assert len(moved) > 10
    for key, value in student.state_dict().items():
        assert torch.equal(state[key], value), key


@pytest.mark.parametrize(
    'copied', [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_are_whole_and_separate(tiny: Any, task: str, copied: Any) -> None:
    distiller = tiny.distiller(task, METHODS).train()

    other = copied(distiller)

    assert type(other) is type(distiller)
    assert other.student_view.model is other
    data = distiller.data_preprocessor(tiny.batch(task), training=True)
    results = []
    for model in (distiller, other):
        torch.manual_seed(3)
        results.append(model(**data, mode='loss'))
    one, two = results
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(two[key], value), key
    with torch.no_grad():
        next(other.parameters()).add_(1)
    assert not next(other.parameters()).equal(next(distiller.parameters()))


@pytest.mark.parametrize(
    'name',
    [
        '_checked',
        '_has_summed',
        '_task_weight',
        'teacher',
        'methods',
        'named_methods',
        'task_weight',
        'student_view',
    ],
)
def test_a_student_that_has_such_an_attribute_is_refused(
    tiny: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(build_model(tiny.classifier()))
    taken = type('Taken', (kind,), {name: 3})
    monkeypatch.setitem(MODELS.module_dict, 'Taken', taken)

    with pytest.raises(ValueError, match=f"student Taken has an attribute '{name}'"):
        tiny.distiller('images', student=tiny.classifier(type='Taken'))


@pytest.mark.parametrize('name', ['forward', 'parse_losses'])
def test_a_student_that_replaces_what_a_distiller_extends_is_refused(
    tiny: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the instance, where a derived class cannot override it."""
    kind: Any = type(build_model(tiny.classifier()))

    class Bound(kind):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            setattr(self, name, getattr(self, name))

    monkeypatch.setitem(MODELS.module_dict, 'Bound', Bound)

    with pytest.raises(ValueError, match=f"student Bound has an attribute '{name}'"):
        tiny.distiller('images', student=tiny.classifier(type='Bound'))


def test_an_attribute_that_cannot_be_read_is_one(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = type(build_model(tiny.classifier()))

    class Lazy(kind):
        @property
        def teacher(self) -> Any:
            raise AttributeError('not yet')

    monkeypatch.setitem(MODELS.module_dict, 'Lazy', Lazy)

    with pytest.raises(ValueError, match="student Lazy has an attribute 'teacher'"):
        tiny.distiller('images', student=tiny.classifier(type='Lazy'))


def test_its_own_sum_of_losses_is_of_its_own_losses(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind: Any = type(build_model(tiny.classifier()))

    class Doubling(kind):
        def parse_losses(self, losses: Any) -> Any:
            assert set(losses) == {'loss'}
            total, log_vars = super().parse_losses(losses)
            return 2 * total, log_vars

    monkeypatch.setitem(MODELS.module_dict, 'Doubling', Doubling)
    student = tiny.classifier(type='Doubling')
    distiller = tiny.distiller('images', METHODS, student=student)

    batch = distiller.data_preprocessor(tiny.batch('images'), training=True)
    losses = distiller(**batch, mode='loss')
    total, _ = distiller.parse_losses(losses)

    own = losses.pop('loss')
    torch.testing.assert_close(total, 2 * own + sum(losses.values()))


def test_a_config_may_be_built_twice(tiny: Any, task: str) -> None:
    student = ConfigDict(tiny.model(task))
    teacher = tiny.teacher(student)
    before = copy.deepcopy(student)

    models = [
        Distiller(student=student, teacher=teacher, methods=METHODS) for _ in range(2)
    ]

    assert student == before
    assert models[0].backbone is not models[1].backbone
