from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

TAU = 2.0
CWD = dict(
    type='CWD',
    loss=dict(type='ChannelWiseDivergenceLoss', tau=TAU),
    weight=0.5,
)


def expected_loss(trial: Any, data: Any) -> Tensor:
    student, teacher = trial.features(data)
    teacher = interpolate(teacher, student.shape[2:], mode='bilinear')
    valid = trial.targets(data).resized(student.shape[2:]).valid
    parts = []
    for image in range(len(student)):
        for s, t in zip(student[image], teacher[image], strict=True):
            p = (t[valid[image]] / TAU).softmax(0)
            q = (s[valid[image]] / TAU).softmax(0)
            parts.append((p * (p / q).log()).sum())
    return TAU**2 * torch.stack(parts).mean()


def test_compares_where_each_class_is_seen(bench: Any) -> None:
    trial = bench('pixels', cwd=CWD)
    data = trial.data()
    loss = trial.loss(data)
    expected = 0.5 * expected_loss(trial, data).item()
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_gradients_reach_the_whole_student(bench: Any) -> None:
    trial = bench('pixels', cwd=CWD)
    assert trial.check_gradients(trial.data()) == {'backbone', 'decode_head'}


def test_trains(bench: Any) -> None:
    bench('pixels', cwd=CWD).check_steps()


def test_trains_beside_dual_head(bench: Any) -> None:
    trial = bench('pixels', cwd=CWD, dual_head=dict(type='DualHead'))
    alone = bench('pixels', cwd=CWD)
    data = trial.data()
    terms = trial.terms(data)
    assert set(terms) == {'distill.cwd.loss', 'distill.dual_head.loss'}
    assert terms['distill.cwd.loss'].item() == alone.loss(data).item()
    trial.check_steps()


def test_has_no_meaning_for_images(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'CWD compares .* Use LogitsKD, DKD or DIST'):
        bench('images', cwd=CWD)
