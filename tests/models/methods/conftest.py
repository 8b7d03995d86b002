from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from torch import Tensor, nn
from torch.func import functional_call

from mmkd.models.taps import Tap, capture
from mmkd.structures import Targets


class Bench:
    """A tiny student and teacher with methods, and checks for every method."""

    def __init__(self, tiny: Any, task: str, **methods: dict[str, Any]) -> None:
        self.tiny, self.task = tiny, task
        self.distiller = tiny.distiller(task, methods).train()
        self.method = self.distiller.methods[next(iter(methods))]

    def data(self, seed: int = 0, numbered: bool = False, **settings: Any) -> Any:
        """A batch after the data preprocessor, with sample indices if numbered."""
        batch = self.tiny.batch(self.task, seed, **settings)
        if numbered:
            for index, sample in enumerate(batch['data_samples']):
                sample.set_metainfo(dict(sample_idx=2 * index))
        return self.distiller.data_preprocessor(batch, training=True)

    def terms(self, data: Any, name: str | None = None) -> dict[str, Tensor]:
        """The terms that all methods, or one of them, add to the losses."""
        prefix = 'distill.' if name is None else f'distill.{name}.'
        losses = self.distiller(**data, mode='loss')
        return {key: value for key, value in losses.items() if key.startswith(prefix)}

    def loss(self, data: Any) -> Tensor:
        """The only term of the only method."""
        [loss] = self.terms(data).values()
        return loss

    def features(self, data: Any) -> tuple[Tensor, Tensor]:
        """The only tap of student and teacher, captured by hand, in float64."""
        distiller = self.distiller
        [student], [teacher] = self.method.taps_in_student, self.method.taps_in_teacher
        return (
            value_of(distiller, student, data).double(),
            value_of(distiller.teacher.model, teacher, data).double(),
        )

    def taps(self, data: Any) -> tuple[dict[Tap, Tensor], dict[Tap, Tensor]]:
        """The taps that the method gets from student and teacher, captured by hand."""
        student, teacher = self.distiller, self.distiller.teacher.model
        return (
            {tap: value_of(student, tap, data) for tap in self.method.taps_in_student},
            {tap: value_of(teacher, tap, data) for tap in self.method.taps_in_teacher},
        )

    def targets(self, data: Any) -> Targets:
        return self.distiller.student_view.task.targets(data['data_samples'])

    def check_trial_run(self, data: Any) -> None:
        """A loss on copies of the buffers, as in diagnostics, leaves no trace."""
        before = copy_of(self.distiller)
        buffers = {name: b.clone() for name, b in self.distiller.named_buffers()}
        functional_call(self.distiller, buffers, (), {**data, 'mode': 'loss'})
        for name, value in copy_of(self.distiller).items():
            torch.testing.assert_close(value, before[name], equal_nan=True, msg=name)
        assert any(
            not torch.equal(b, buffers[name])
            for name, b in self.distiller.named_buffers()
            if name.startswith('methods.')
        )

    def check_gradients(self, data: Any) -> set[str]:
        """Gradients reach all of the method's modules and no teacher.

        Returns:
            The student's modules that they reach, by the first part of their names.
        """
        distiller = self.distiller
        torch.stack(list(self.terms(data).values())).sum().backward()
        for method in distiller.methods.values():
            for name, child in method.named_children():
                own = list(child.parameters())
                assert not own or any(grad_of(p) for p in own), name
                assert all(p.grad is not None for p in own), name
        for parameter in distiller.teacher.model.parameters():
            assert parameter.grad is None
        return {
            name.split('.')[0]
            for name, parameter in distiller.named_parameters()
            if grad_of(parameter) and not name.startswith('methods.')
        }

    def check_steps(self, count: int = 2, **settings: Any) -> None:
        """Training steps change student and method, but not the teacher."""
        distiller = self.distiller
        optimizer = torch.optim.SGD(distiller.parameters(), lr=0.01)
        wrapper = OptimWrapper(optimizer)
        teacher = copy_of(distiller.teacher.model)
        before = {name: p.detach().clone() for name, p in distiller.named_parameters()}
        for seed in range(count):
            batch = self.tiny.batch(self.task, seed, **settings)
            for index, sample in enumerate(batch['data_samples']):
                sample.set_metainfo(dict(sample_idx=2 * index))
            log = distiller.train_step(batch, optim_wrapper=wrapper)
            assert all(torch.isfinite(value).all() for value in log.values())
        for name, parameter in distiller.named_parameters():
            assert not torch.equal(parameter, before[name]), name
        for name, value in copy_of(distiller.teacher.model).items():
            assert torch.equal(value, teacher[name]), name


def value_of(model: nn.Module, tap: Tap, data: Any) -> Tensor:
    with torch.no_grad(), capture(model, [tap]) as values:
        model(data['inputs'], mode='tensor')
    return values[tap]


def grad_of(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool(parameter.grad.any())


def copy_of(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.fixture(autouse=True)
def no_scope_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner sets the default scope of everything that is built after it."""
    monkeypatch.setattr(DefaultScope, '_instance_dict', OrderedDict())


@pytest.fixture
def bench(tiny: Any) -> Callable[..., Bench]:
    def build(task: str, **methods: dict[str, Any]) -> Bench:
        return Bench(tiny, task, **methods)

    return build
