"""Observing a model leaves no traces in it."""

import random
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.models import ImageClassifier
from torch import Tensor, nn

from mmkd.models.undisturbed import undisturbed
from mmkd.registry import MODELS


class Counting(ImageClassifier):
    """Remembers how it ran, and draws random numbers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.runs = 0
        self.sizes: list[torch.Size] = []
        self.by_mode: dict[str, int] = {}
        self.last: Tensor | None = None
        self.register_buffer('moved', torch.zeros(()))
        self.register_buffer('replaced', torch.zeros(()), persistent=False)
        self.register_forward_hook(type(self).own_hook)

    def own_hook(self, args: Any, output: Any) -> None:
        self.replaced = self.replaced + 1

    def forward(self, inputs: Tensor, *args: Any, **kwargs: Any) -> Any:
        self.runs += 1
        self.moved += 1
        self.sizes.append(inputs.shape)
        mode = str(kwargs.get('mode'))
        self.by_mode[mode] = self.by_mode.get(mode, 0) + 1
        self.last = inputs + torch.rand(()) + random.random() + np.random.rand()
        return super().forward(inputs, *args, **kwargs)


@pytest.fixture
def student(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setitem(MODELS.module_dict, 'Counting', Counting)
    return tiny.classifier(type='Counting')


def test_building_a_distiller_does_not_run_its_student(
    tiny: Any, student: dict[str, Any]
) -> None:
    teacher = tiny.teacher(student)
    random.seed(3)
    np.random.seed(3)

    distiller = tiny.distiller('images', student=student, teacher=teacher)

    for model in (distiller, distiller.teacher.model):
        assert (model.runs, model.sizes, model.by_mode, model.last) == (0, [], {}, None)
        assert model.moved == model.replaced == 0
    assert random.random() == random.Random(3).random()
    assert np.random.rand() == np.random.RandomState(3).rand()
    drawn = torch.rand(())
    tiny.plain('images')
    assert torch.equal(drawn, torch.rand(()))


def test_modes_of_all_modules_and_what_they_hold_come_back(tiny: Any) -> None:
    model = tiny.plain('images').train()
    model.backbone.eval()
    before = {module: dict(vars(module)) for module in model.modules()}

    with undisturbed(model):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        model.extra = 3

    for module, attributes in before.items():
        assert vars(module).keys() == attributes.keys()
        assert all(vars(module)[name] is value for name, value in attributes.items())


def test_parts_that_take_no_hooks_and_buffers_that_take_no_values(
    tiny: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Odd(ImageClassifier):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.last = torch.jit.script(nn.ReLU())
            self.register_buffer('expanded', torch.zeros(3, 1).expand(3, 4))
            self.register_buffer('nothing', None)

        def extract_feat(self, *args: Any, **kwargs: Any) -> Any:
            return tuple(map(self.last, super().extract_feat(*args, **kwargs)))

    monkeypatch.setitem(MODELS.module_dict, 'Odd', Odd)
    distiller = tiny.distiller('images', student=tiny.classifier(type='Odd'))

    assert distiller.student_view.classifier == 'head.fc'


class Watching(Hook):
    """Counts how often parts of the student run in training."""

    def before_train(self, runner: Any) -> None:
        self.runs = 0
        runner.model.backbone.register_forward_hook(self.count)
        runner.model.register_forward_pre_hook(self.count)

    def count(self, *_: Any) -> None:
        self.runs += 1


def test_hooks_of_others_see_the_training_alone(tiny: Any, task: str) -> None:
    hooks = dict(
        start_table=dict(type='mmkd.StartTableHook'),
        distill_schedule=dict(type='mmkd.DistillScheduleHook'),
    )
    runs = []
    for model, ours in ((tiny.plain(task), {}), (tiny.distiller(task), hooks)):
        watching = Watching()
        runner = tiny.runner(model, task, f'run_{len(runs)}', default_hooks=ours)
        runner.register_hook(watching)
        runner.train()
        runs.append(watching.runs)

    assert runs[0] == runs[1] == 8


def test_shapes_alone_are_looked_at_too() -> None:
    """A recorded teacher has no weights."""
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).to('meta')
    with undisturbed(model):
        assert model(torch.zeros(1, 3, 2, 2, device='meta')).shape == (1, 4, 2, 2)
    assert model.training
