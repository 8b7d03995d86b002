"""Methods and settings without effect are refused, by name."""

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper

from mmkd.engine import GradientAlignOptimWrapper
from mmkd.models import Distiller, build_model
from mmkd.models.methods import Method
from mmkd.registry import METHODS, MODELS

KD = dict(type='LogitsKD')


class Detaching(Method):
    """Loses the gradient to its taps on the way."""

    def __init__(self, student: Any, teacher: Any, **kwargs: Any) -> None:
        super().__init__(student, teacher, **kwargs)
        self.taps_in_student = [student.feature]
        self.scale = torch.nn.Parameter(torch.ones(()))

    def loss(self, student_taps: Any, teacher_taps: Any, targets: Any) -> Any:
        feature = student_taps[self.taps_in_student[0]]
        return {'loss': (self.scale * feature.detach()).square().mean()}


class Unnamed(Detaching):
    """Returns a value that is only logged."""

    def loss(self, student_taps: Any, teacher_taps: Any, targets: Any) -> Any:
        feature = student_taps[self.taps_in_student[0]]
        return {'distance': feature.square().mean()}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Detaching, Unnamed):
        monkeypatch.setitem(METHODS.module_dict, kind.__name__, kind)


def step(distiller: Distiller, tiny: Any, task: str = 'images') -> Any:
    wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=0.1))
    return distiller.train().train_step(tiny.batch(task), wrapper)


def test_a_method_that_minimises_nothing(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, dict(mine=dict(type='Unnamed')))
    message = r"methods\.mine \(Unnamed\) returns nothing .*\['distance'\]"

    with pytest.raises(ValueError, match=message):
        step(distiller, tiny, task)


@pytest.mark.parametrize(
    ('returned', 'message'),
    [
        (None, r'methods\.mine \(Own\): loss must return a dict of tensors, got None'),
        (dict(loss=3.0), r'methods\.mine \(Own\): loss must be a tensor, got 3\.0'),
        (dict(accuracy=3), r'methods\.mine \(Own\): accuracy must be a tensor'),
    ],
)
def test_a_method_that_returns_something_else(
    tiny: Any, returned: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = type('Own', (Method,), dict(loss=lambda *_: returned))
    monkeypatch.setitem(METHODS.module_dict, 'Own', own)
    distiller = tiny.distiller('images', dict(mine=dict(type='Own')))

    with pytest.raises(TypeError, match=message):
        step(distiller, tiny)


def test_a_method_that_taps_nothing(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own = type('Own', (Method,), dict(loss=lambda *_: dict(loss=torch.ones(()))))
    monkeypatch.setitem(METHODS.module_dict, 'Own', own)
    distiller = tiny.distiller('images', dict(mine=dict(type='Own')))

    with pytest.raises(ValueError, match=r'methods\.mine .*it taps, which is nothing'):
        step(distiller, tiny)


def test_a_method_that_detaches_what_it_taps(tiny: Any, task: str) -> None:
    distiller = tiny.distiller(task, dict(mine=dict(type='Detaching'), kd=KD))
    path = distiller.student_view.classifier

    with pytest.raises(ValueError, match=rf'methods\.mine .*the input of {path}\.'):
        step(distiller, tiny, task)


@pytest.mark.parametrize('frozen', [1, 2])
def test_a_method_on_a_frozen_stage(tiny: Any, task: str, frozen: int) -> None:
    config = tiny.model(task)
    config['backbone']['frozen_stages'] = frozen
    hint = dict(type='FitNet', stage=frozen - 1)
    distiller = tiny.distiller(task, dict(hint=hint), student=config)

    with pytest.raises(
        ValueError,
        match=rf'methods\.hint .*output of backbone\.layer{frozen}\. .*frozen',
    ):
        step(distiller, tiny, task)


def test_a_method_behind_a_frozen_stage_trains(tiny: Any, task: str) -> None:
    config = tiny.model(task)
    config['backbone']['frozen_stages'] = 1
    distiller = tiny.distiller(
        task, dict(hint=dict(type='FitNet', stage=1)), student=config
    )

    assert step(distiller, tiny, task)['distill.hint.loss'] > 0


def test_a_tap_in_a_recomputed_module(tiny: Any, task: str) -> None:
    """Re-entrant checkpointing runs it without a graph."""
    config = tiny.model(task)
    config['backbone']['with_cp'] = True
    hint = dict(type='FitNet', stage='backbone.layer1.0.conv2', teacher_stage=0)
    distiller = tiny.distiller(task, dict(hint=hint), student=config)
    # Only a part whose input has a gradient is recomputed.
    distiller.backbone.conv1.weight.requires_grad_(True)

    with pytest.raises(ValueError, match=r'methods\.hint .*with_cp'):
        step(distiller, tiny, task)


def test_a_method_that_starts_later_is_checked_then(tiny: Any) -> None:
    distiller = tiny.distiller('images', dict(mine=dict(type='Detaching', start=1)))
    method = distiller.methods['mine']
    method.schedule_factor = 0.0
    step(distiller, tiny)
    method.schedule_factor = 1.0

    with pytest.raises(ValueError, match=r'methods\.mine'):
        step(distiller, tiny)


def test_a_look_without_gradient_does_not_count_as_checked(tiny: Any) -> None:
    distiller = tiny.distiller('images', dict(mine=dict(type='Detaching')))
    with torch.no_grad():
        distiller(
            **distiller.data_preprocessor(tiny.batch('images'), True), mode='loss'
        )

    with pytest.raises(ValueError, match=r'methods\.mine'):
        step(distiller, tiny)


def test_a_schedule_that_nothing_drives(tiny: Any) -> None:
    with pytest.raises(RuntimeError, match=r'from 3.*mmkd\.DistillScheduleHook'):
        step(tiny.distiller('images', dict(kd=dict(KD, start=3))), tiny)


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(wieght=1), "LogitsKD has no setting 'wieght'. Did you mean 'weight'"),
        (dict(loss_weight=1), "no setting 'loss_weight'. Did you mean"),
        (dict(warm_up=1), "no setting 'warm_up'. Did you mean 'warmup'"),
        (dict(student=1), "no setting 'student'"),
    ],
)
def test_unknown_settings_of_a_method(tiny: Any, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=rf'methods\.kd: .*{message}'):
        tiny.distiller('images', dict(kd=KD | settings))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(start='late'), "start must be a number, got 'late'"),
        (dict(stop=[3]), r'stop must be a number or None, got \[3\]'),
        (dict(type='MultiHead', stages='layer1'), r"stages must be a list.*'layer1'"),
        (dict(type='MultiHead', stages=[0.5]), r'stages must be a list.*\[0\.5\]'),
        (dict(type='ReviewKD', max_channels='many'), 'max_channels must be an integer'),
        (dict(loss='KLDivergenceLoss'), 'loss must be a dict'),
        (dict(gradient_alignment=1), 'gradient_alignment must be True or False'),
    ],
)
def test_settings_of_a_wrong_type(tiny: Any, settings: Any, message: str) -> None:
    with pytest.raises(TypeError, match=rf'^methods\.kd: {message}'):
        tiny.distiller('images', dict(kd=dict(type='LogitsKD') | settings))


@pytest.mark.parametrize(
    'part',
    [
        dict(type='LogitsKD', loss=dict(type='KLDivergenceLoss', taus=4.0)),
        dict(type='LogitsKD', loss=dict(type='KLDivergenceLoss', tau='hot')),
        dict(type='DualHead', head=dict(type='LinearClassifier', chanels=4)),
        dict(type='DualHead', loss=dict(type='BinaryKLLoss', tau=-1.0)),
    ],
)
def test_what_is_wrong_inside_a_part_names_its_method(tiny: Any, part: Any) -> None:
    wrong = r'^methods\.mine(\.loss|\.head)?: .*(tau|chanel)'
    with pytest.raises((TypeError, ValueError), match=wrong):
        tiny.distiller('images', dict(mine=part))


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(chekpoint='x'), "FrozenTeacher has no setting 'chekpoint'. .*checkpoint"),
        (dict(type='FrozenTeachr'), "unknown type 'FrozenTeachr'. .*'FrozenTeacher'"),
    ],
)
def test_unknown_settings_of_a_teacher(tiny: Any, settings: Any, message: str) -> None:
    teacher = tiny.teacher(tiny.classifier(width=8)) | settings

    with pytest.raises(ValueError, match=f'teacher.*{message}'):
        tiny.distiller('images', teacher=teacher)


def test_an_unknown_setting_of_the_distiller(tiny: Any) -> None:
    with pytest.raises(ValueError, match=r"'task_wieght'.*'task_weight'"):
        tiny.distiller('images', task_wieght=2.0)


def test_gradient_alignment_of_a_student_alone(tiny: Any) -> None:
    student = build_model(tiny.classifier())
    wrapper = GradientAlignOptimWrapper(torch.optim.SGD(student.parameters(), lr=0.1))

    with pytest.raises(TypeError, match='need the loss of a Distiller'):
        student.train_step(tiny.batch('images'), wrapper)


def test_gradient_alignment_before_a_method_starts(tiny: Any) -> None:
    distiller = tiny.distiller('images', dict(kd=dict(KD, start=1)))
    distiller.methods['kd'].schedule_factor = 0.0
    wrapper = GradientAlignOptimWrapper(
        torch.optim.SGD(distiller.parameters(), lr=0.1), accumulative_counts=2
    )
    before = distiller.head.fc.weight.clone()

    for _ in range(2):
        distiller.train_step(tiny.batch('images'), wrapper)

    assert not torch.equal(distiller.head.fc.weight, before)


def losses_alone(self: Any, data: Any, optim_wrapper: Any) -> Any:
    """Does not ask the model for its losses."""
    data = self.data_preprocessor(data, True)
    loss, log_vars = self.parse_losses(self.loss(**data))
    optim_wrapper.update_params(loss)
    return log_vars


def summed_by_itself(self: Any, data: Any, optim_wrapper: Any) -> Any:
    losses = self(**self.data_preprocessor(data, True), mode='loss')
    optim_wrapper.update_params(sum(losses.values()))
    return losses


@pytest.mark.parametrize('own_step', [losses_alone, summed_by_itself])
def test_a_step_of_the_student_that_leaves_methods_out(
    tiny: Any, own_step: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(build_model(tiny.classifier()))
    own = type('Own', (kind,), dict(train_step=own_step))
    monkeypatch.setitem(MODELS.module_dict, 'Own', own)
    distiller = tiny.distiller('images', student=tiny.classifier(type='Own'))

    with pytest.raises(TypeError, match=r"Own\.train_step .*mode='loss'.*parse_losses"):
        step(distiller, tiny)
