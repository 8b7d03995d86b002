from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, interpolate

from mmkd.models.taps import Tap, capture

REVIEW = dict(type='ReviewKD', weight=0.5)


def context_loss(student: Tensor, teacher: Tensor) -> Tensor:
    weights = {student.shape[-1]: 1.0}
    for pool in (4, 2, 1):
        if pool < student.shape[-1]:
            weights[pool] = min(weights.values()) / 2
    parts = [
        weight * adaptive_avg_pool2d(student - teacher, size).square().mean()
        for size, weight in weights.items()
    ]
    return torch.stack(parts).sum() / sum(weights.values())


def maps(model: Any, taps: Any, data: Any) -> list[Tensor]:
    with torch.no_grad(), capture(model, taps) as values:
        model(data['inputs'], mode='tensor')
    features = [values[tap].double() for tap in taps]
    return [x if x.dim() == 4 else x[..., None, None] for x in features]


def test_reviews_from_the_deepest_level_up(bench: Any, task: str) -> None:
    trial = bench(task, review=REVIEW)
    data = trial.data()

    loss = trial.loss(data)

    distiller, method = trial.distiller, trial.method.double()
    student = maps(distiller, method.taps_in_student, data)
    teacher = maps(distiller.teacher.model, method.taps_in_teacher, data)
    expected, deeper = [], None
    for level in (2, 1, 0):
        fusion, size = method.fusions[level], teacher[level].shape[2:]
        fused = fusion.enter(student[level])
        if deeper is not None:
            deeper = interpolate(deeper, fused.shape[2:], mode='nearest')
            z = fusion.attention(torch.cat([fused, deeper], 1))
            fused = fused * z[:, 0:1] + deeper * z[:, 1:2]
        deeper = interpolate(fused, size, mode='nearest')
        expected.append(context_loss(fusion.leave(deeper), teacher[level]))
    total = 0.5 * torch.stack(expected).sum()
    assert loss.item() == pytest.approx(total.item(), rel=1e-4)


def test_gradients_reach_student_and_fusions(bench: Any, task: str) -> None:
    trial = bench(task, review=REVIEW)
    reached = trial.check_gradients(trial.data())
    head = set() if task == 'images' else {'decode_head'}
    assert reached == {'backbone'} | head
    for fusion in trial.method.fusions:
        assert fusion.enter[0].weight.grad.any()
        assert fusion.leave[0].weight.grad.any()


def test_trains(bench: Any, task: str) -> None:
    bench(task, review=REVIEW).check_steps()


def test_trains_beside_dual_head(bench: Any, task: str) -> None:
    trial = bench(task, review=REVIEW, dual_head=dict(type='DualHead'))
    terms = trial.terms(trial.data())
    assert set(terms) == {'distill.review.loss', 'distill.dual_head.loss'}
    trial.check_steps()


def test_levels_are_stages_and_the_classifiers_input(bench: Any) -> None:
    method = bench('images', review=REVIEW | dict(max_channels=5)).method
    paths = ['backbone.layer1', 'backbone.layer2', 'head.fc']
    assert [tap.path for tap in method.taps_in_student] == paths
    assert [fusion.enter[0].out_channels for fusion in method.fusions] == [5, 5, 5]
    assert [fusion.attention is None for fusion in method.fusions] == [
        False,
        False,
        True,
    ]


def test_stages_may_be_named(bench: Any) -> None:
    settings = dict(stages=(1,), teacher_stages=('backbone.layer1',))
    trial = bench('images', review=REVIEW | settings)
    assert [tap.path for tap in trial.method.taps_in_student] == [
        'backbone.layer2',
        'head.fc',
    ]
    assert trial.loss(trial.data()).isfinite()


def test_teacher_maps_before_the_last_relu(bench: Any) -> None:
    stages = [
        dict(path=f'backbone.layer{stage}.1.relu', kind='input', call=1)
        for stage in (1, 2)
    ]
    trial = bench('images', review=REVIEW | dict(teacher_stages=stages))
    ends = [Tap('backbone.layer1'), Tap('backbone.layer2')]
    taps = [*trial.method.taps_in_teacher[:2], *ends]

    *before, first, second = maps(trial.distiller.teacher.model, taps, trial.data())

    for map_, end in zip(before, (first, second), strict=True):
        assert (map_ < 0).any()
        torch.testing.assert_close(map_.relu(), end)
    trial.check_steps()


@pytest.mark.parametrize(
    ('settings', 'message'),
    [
        (dict(stages=(0,), teacher_stages=(0, 1)), 'ReviewKD pairs up stages'),
        (dict(stages=()), 'at least one, with'),
        (dict(stages=(7,)), 'has no stage 7'),
        (dict(stages=(dict(path='backbone.layer1', kid='input'),)), "mean 'kind'"),
        (dict(weight=-1), 'weight of ReviewKD must be finite'),
        (dict(max_channels=0), 'max_channels must be at least 1, got 0'),
    ],
)
def test_wrong_settings(bench: Any, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bench('images', review=REVIEW | settings)
