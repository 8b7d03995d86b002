"""The weights of the terms of the training loss."""

from typing import Any

import pytest
import torch
from torch import Tensor

from mmkd.loss_groups import groups_of
from mmkd.models import Distiller

KD = dict(type='LogitsKD', weight=0.9, task_weight=0.1)
DUAL = dict(type='DualHead')


def terms_of(distiller: Distiller, tiny: Any, task: str) -> dict[str, Tensor]:
    data = distiller.data_preprocessor(tiny.batch(task), training=True)
    return distiller.train()(**data, mode='loss')


def log_of(distiller: Distiller, tiny: Any, task: str) -> dict[str, float]:
    total, log = distiller.parse_losses(terms_of(distiller, tiny, task))
    weighed = groups_of(total).task.item()
    return {key: value.item() for key, value in log.items()} | dict(weighed=weighed)


@pytest.mark.parametrize(
    ('explicit', 'methods', 'expected'),
    [
        (None, {}, 1),
        (None, dict(dual_head=DUAL), 1),
        (None, dict(kd=KD), 0.1),
        (None, dict(kd=KD, dual_head=DUAL), 0.1),
        (None, dict(kd=KD, second=dict(KD)), 0.1),
        (3.0, dict(dual_head=DUAL), 3),
        (3.0, dict(kd=KD, dual_head=dict(DUAL, task_weight=2.0)), 3),
        (0.0, dict(kd=KD), 0),
    ],
)
def test_task_weight(
    tiny: Any, task: str, explicit: Any, methods: Any, expected: float
) -> None:
    log = log_of(tiny.distiller(task, methods, task_weight=explicit), tiny, task)

    assert log['weighed'] == pytest.approx(expected * log['task_loss'])


def test_two_task_weights_that_disagree_are_refused(tiny: Any) -> None:
    methods = dict(kd=KD, dual_head=dict(DUAL, task_weight=2.0))
    message = r'methods\.kd 0\.1, methods\.dual_head 2\.0\. Set task_weight'

    with pytest.raises(ValueError, match=message):
        tiny.distiller('images', methods)


@pytest.mark.parametrize('value', [-1, float('inf'), float('nan')])
def test_weights_that_are_none_are_refused(tiny: Any, value: float) -> None:
    for name in ('weight', 'task_weight'):
        kd = dict(type='LogitsKD', **{name: value})
        message = rf'^methods\.kd: {name} of LogitsKD must be finite'
        with pytest.raises(ValueError, match=message):
            tiny.distiller('images', dict(kd=kd))
    with pytest.raises(ValueError, match='task_weight must be finite'):
        tiny.distiller('images', dict(kd=KD), task_weight=value)


def test_a_named_task_weight_applies_as_far_as_its_method_counts(
    tiny: Any, task: str
) -> None:
    distiller = tiny.distiller(task, dict(kd=KD, dual_head=DUAL))
    for factor, expected in ((1.0, 0.1), (0.5, 0.55), (0.0, 1.0)):
        distiller.methods['kd'].schedule_factor = factor
        log = log_of(distiller, tiny, task)
        assert log['weighed'] == pytest.approx(expected * log['task_loss'])


def test_one_of_two_that_name_it_is_enough(tiny: Any) -> None:
    distiller = tiny.distiller('images', dict(kd=KD, second=dict(KD)))
    distiller.methods['kd'].schedule_factor = 0.0
    assert distiller.task_weight == pytest.approx(0.1)
    distiller.methods['second'].schedule_factor = 0.0
    assert distiller.task_weight == 1


def test_weight_and_schedule_multiply_a_term(tiny: Any, task: str) -> None:
    whole = tiny.distiller(task, dict(kd=dict(type='LogitsKD', weight=1.0)))
    expected = log_of(whole, tiny, task)['distill.kd.loss']
    quarter = tiny.distiller(task, dict(kd=dict(type='LogitsKD', weight=0.5)))
    quarter.methods['kd'].schedule_factor = 0.5

    found = log_of(quarter, tiny, task)['distill.kd.loss']

    assert found == pytest.approx(expected / 4)


def test_one_more_method_changes_no_other_term(tiny: Any, task: str) -> None:
    stages = dict(type='MultiHead', stages=(0, 1))
    few = log_of(tiny.distiller(task, dict(kd=KD)), tiny, task)
    more = tiny.distiller(task, dict(heads=stages, kd=KD, dual_head=DUAL))

    found = log_of(more, tiny, task)

    assert {key: found[key] for key in few if key != 'loss'} == pytest.approx(
        {key: value for key, value in few.items() if key != 'loss'}
    )


def test_own_losses_are_logged_as_the_student_alone_logs_them(
    tiny: Any, task: str
) -> None:
    student = tiny.plain(task).train()
    data = student.data_preprocessor(tiny.batch(task), training=True)
    torch.manual_seed(5)
    own = student.parse_losses(student(**data, mode='loss'))[1]
    distiller = tiny.distiller(task, dict(kd=KD, dual_head=DUAL))
    torch.manual_seed(5)

    log = log_of(distiller, tiny, task)

    assert log['task_loss'] == own.pop('loss').item()
    # If the student uses this name for its only loss, the total replaces it.
    assert {key: log[key] for key in own} == {k: v.item() for k, v in own.items()}


def test_teacher_heads_are_not_weighed(tiny: Any, task: str) -> None:
    logs = []
    for weight in (0.5, 2.0):
        heads = dict(type='MultiHead', stages=(0, 1), weight=weight)
        logs.append(log_of(tiny.distiller(task, dict(heads=heads)), tiny, task))
    student, teacher = (
        f'distill.heads.loss_{side}_heads' for side in ('student', 'teacher')
    )

    assert logs[1][student] == pytest.approx(4 * logs[0][student])
    assert logs[1][teacher] == logs[0][teacher]


def test_a_method_of_weight_zero_sets_no_task_weight(tiny: Any) -> None:
    kd = dict(KD, weight=0)
    assert tiny.distiller('images', dict(kd=kd)).task_weight == 1
    assert tiny.distiller('images', dict(kd=kd), task_weight=0.3).task_weight == 0.3
    distiller = tiny.distiller('images', dict(kd=kd, b=dict(KD, task_weight=0.5)))
    assert distiller.task_weight == 0.5
    distiller.methods['b'].schedule_factor = 0.0
    assert distiller.task_weight == 1


@pytest.mark.parametrize('value', ['abc', True, [1, 2]])
def test_weights_that_are_no_numbers_are_named(tiny: Any, value: Any) -> None:
    for setting in ('weight', 'task_weight'):
        kd = dict(type='LogitsKD', **{setting: value})
        message = rf'^methods\.kd: {setting} must be a number'
        with pytest.raises(TypeError, match=message):
            tiny.distiller('images', dict(kd=kd))
    with pytest.raises(TypeError, match=r'^model: task_weight must be a number'):
        tiny.distiller('images', dict(kd=KD), task_weight=value)
