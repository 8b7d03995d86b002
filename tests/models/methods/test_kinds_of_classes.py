"""Exclusive classes, independent classes, and two classes in one channel."""

import logging
from typing import Any

import pytest
import torch
from mmpretrain.structures import DataSample

from mmkd.models.methods import logit as source

SIGMOID = dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True)
BINARY = dict(type='BinaryKLLoss')
METHODS = dict(
    LogitsKD=dict(type='LogitsKD'),
    DKD=dict(type='DKD'),
    DIST=dict(type='DIST'),
    MultiHead=dict(type='MultiHead', stages=(0,)),
    CWD=dict(type='CWD'),
    DualHead=dict(type='DualHead'),
    softened=dict(type='DualHead', loss=dict(type='KLDivergenceLoss')),
)
COMPETING = ('LogitsKD', 'DKD', 'DIST', 'MultiHead', 'softened')


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    lines: list[tuple[str, int]] = []
    monkeypatch.setattr(
        source,
        'print_log',
        lambda text, level=logging.INFO, **_: lines.append((text, level)),
    )
    return lines


def segmentor(tiny: Any, width: int = 4, **head: Any) -> dict[str, Any]:
    config = tiny.segmentor(width)
    config['decode_head'].update(head)
    config.pop('auxiliary_head')
    return config


def classifier(tiny: Any, width: int = 4, **head: Any) -> dict[str, Any]:
    config = tiny.classifier(width)
    config['head'].update(head)
    return config


def several(tiny: Any, width: int = 4) -> dict[str, Any]:
    head = dict(type='mmpretrain.MultiLabelLinearClsHead', num_classes=4)
    loss = dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)
    return tiny.classifier(width, head=head | dict(in_channels=2 * width, loss=loss))


def pair(tiny: Any, make: Any, method: str, **settings: Any) -> Any:
    return tiny.distiller(
        student=make(tiny, **settings),
        teacher=tiny.teacher(make(tiny, width=8, **settings)),
        methods=dict(m=METHODS.get(method, method)),
    ).train()


def gradient(distiller: Any, batch: Any) -> float:
    """Size of the student's gradient from the method only."""
    data = distiller.data_preprocessor(batch, True)
    losses = distiller(**data, mode='loss')
    total = sum(v for k, v in losses.items() if k.startswith('distill.m.loss'))
    own = [p for n, p in distiller.named_parameters() if not n.startswith('methods.')]
    gradients = torch.autograd.grad(total, own, allow_unused=True)
    return sum(g.abs().sum().item() for g in gradients if g is not None)


def two_labels(tiny: Any) -> Any:
    batch = tiny.batch('pixels')
    for sample in batch['data_samples']:
        labels = sample.gt_sem_seg.data
        labels[(labels > 1) & (labels != 255)] = 1
    return batch


@pytest.mark.parametrize('method', METHODS)
def test_one_channel_teaches(tiny: Any, method: str, said: Any) -> None:
    one = dict(num_classes=2, out_channels=1, threshold=0.5, loss_decode=SIGMOID)
    distiller = pair(tiny, segmentor, method, **one)

    assert gradient(distiller, two_labels(tiny)) > 1e-4
    lost = dict(DKD='its non-target part', DIST='its relation between classes')
    starts = [f'{k}: with two classes, {v}' for k, v in lost.items() if k == method]
    assert len(said) == len(starts)
    assert all(
        text.startswith(start) for (text, _), start in zip(said, starts, strict=True)
    )


def test_one_channel_is_compared_with_two(tiny: Any) -> None:
    one = segmentor(
        tiny, num_classes=2, out_channels=1, threshold=0.5, loss_decode=SIGMOID
    )
    two = segmentor(tiny, 8, num_classes=2)
    for method in COMPETING:
        distiller = tiny.distiller(
            student=one, teacher=tiny.teacher(two), methods=dict(m=METHODS[method])
        )
        assert gradient(distiller.train(), two_labels(tiny)) > 1e-4
    with pytest.raises(ValueError, match='has 1 classes and the teacher 2'):
        tiny.distiller(
            student=one, teacher=tiny.teacher(two), methods=dict(m=METHODS['CWD'])
        )


@pytest.mark.parametrize('method', METHODS)
@pytest.mark.parametrize('kind', ['pixels', 'images', 'several'])
def test_softmax_over_sigmoids_is_refused(
    tiny: Any, method: str, kind: str, said: Any
) -> None:
    make, settings = dict(
        pixels=(segmentor, dict(loss_decode=SIGMOID)),
        images=(classifier, dict(loss=SIGMOID | dict(type='mmpretrain.FocalLoss'))),
        several=(several, {}),
    )[kind]
    settings.get('loss', {}).pop('use_sigmoid', None)
    name = METHODS[method]['type']
    if method in COMPETING:
        with pytest.raises(ValueError, match=rf'{name} takes a softmax.*Use DualHead'):
            pair(tiny, make, method, **settings)
    elif method != 'CWD' or kind == 'pixels':
        distiller = pair(tiny, make, method, **settings)
        assert not distiller.student_view.task.exclusive
        if kind == 'pixels':
            assert gradient(distiller, tiny.batch('pixels')) > 0
    assert said == []


@pytest.mark.parametrize('kind', [segmentor, several])
@pytest.mark.parametrize('type_', ['LogitsKD', 'DualHead', 'MultiHead'])
def test_classes_by_themselves_are_taught_one_by_one(
    tiny: Any, kind: Any, type_: str
) -> None:
    method: Any = dict(type=type_, loss=BINARY)
    if type_ == 'MultiHead':
        method['stages'] = (0,)
    settings = dict(loss_decode=SIGMOID) if kind is segmentor else {}
    distiller = tiny.distiller(
        student=kind(tiny, **settings),
        teacher=tiny.teacher(kind(tiny, width=8, **settings)),
        methods=dict(m=method),
    ).train()
    if kind is segmentor:
        batch = tiny.batch('pixels')
    else:
        batch = tiny.batch('images')
        labels = [[0, 2], [1], [], [3]]
        batch['data_samples'] = [DataSample().set_gt_label(label) for label in labels]

    assert gradient(distiller, batch) > 0


def test_a_sigmoid_teacher_under_softmax(tiny: Any, said: Any) -> None:
    """Refused, except with one class per image, as MMPretrain predicts so itself."""
    sigmoid = dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)
    kd = dict(m=dict(type='LogitsKD'))
    tiny.distiller(
        student=classifier(tiny),
        teacher=tiny.teacher(classifier(tiny, 8, loss=sigmoid)),
        methods=kd,
    )
    [(text, level)] = said
    assert level == logging.WARNING
    assert 'the teacher ImageClassifier is trained with one sigmoid per class' in text
    for student, teacher in (
        (classifier(tiny), several(tiny, 8)),
        (segmentor(tiny), segmentor(tiny, 8, loss_decode=SIGMOID)),
    ):
        with pytest.raises(ValueError, match=r'the teacher .* one sigmoid per class'):
            tiny.distiller(student=student, teacher=tiny.teacher(teacher), methods=kd)
