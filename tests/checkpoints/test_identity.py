from typing import Any

import torch
from tiny_models import tiny

from mmkd.checkpoints.identity import UNSET, differences, fingerprint, text_of
from mmkd.models import Distiller

__all__ = ['tiny']


def test_text_is_that_of_the_network() -> None:
    one = dict(type='A', depth=(1, 2), inner=dict(pretrained='a.pth', b=1, c=2))
    other = dict(inner=dict(c=2, b=1), init_cfg=dict(checkpoint='x'), depth=[1, 2])
    assert text_of(one) == text_of(dict(other, type='A'))
    assert text_of(one) != text_of(dict(other, type='B'))


def test_a_function_is_the_same_wherever_it_is_loaded() -> None:
    one, other = ({'fn': eval('lambda image: image')} for _ in range(2))
    assert str(one) != str(other)
    assert text_of(one) == text_of(other)


def test_fingerprint_is_that_of_the_weights() -> None:
    state = dict(a=torch.ones(2, 3), b=torch.tensor(1))
    same = dict(reversed(state.items()))
    assert fingerprint(state) == fingerprint(same)
    for other in (
        dict(state, a=torch.ones(3, 2)),
        dict(state, a=torch.ones(2, 3).bfloat16()),
        dict(state, b=torch.tensor(2)),
        dict(a=state['a'], c=state['b']),
    ):
        assert fingerprint(other) != fingerprint(state)


def test_a_distiller_names_student_teacher_methods_and_task_weight(tiny: Any) -> None:
    teacher = tiny.teacher(tiny.segmentor(width=8))
    kd = dict(kd=dict(type='LogitsKD'))

    def identity(**settings: Any) -> dict[str, str]:
        given = dict(teacher=teacher, student=tiny.segmentor(), methods=kd) | settings
        return Distiller(**given).identity

    first = identity()
    assert identity(task_weight=1) == first
    for part, settings in dict(
        student=dict(student=tiny.segmentor(width=6)),
        teacher=dict(teacher=tiny.teacher(tiny.segmentor(width=8), seed=2)),
        methods=dict(methods=dict(kd=dict(type='LogitsKD', weight=2.0))),
        task_weight=dict(task_weight=0.5),
    ).items():
        found = identity(**settings)
        assert {key for key in first if first[key] != found[key]} == {part}


def test_differences_are_named_by_their_places() -> None:
    was = dict(lr=1, steps=[1, 2], part=dict(a=1, b=2), none=None, empty={})
    now = dict(lr=2, steps=[1, 3, 4], part=None, none={}, more=dict(c=[5]))
    assert {place: pair for place, *pair in differences(was, now)} == {
        'lr': [1, 2],
        'steps.1': [2, 3],
        'steps.2': [UNSET, 4],
        'part.a': [1, UNSET],
        'part.b': [2, UNSET],
        'more.c.0': [UNSET, 5],
    }
    assert not [*differences(was, was)]
    assert [*differences(dict(a=3), dict(a=[4]))] == [('a', 3, [4])]
