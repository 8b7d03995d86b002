from typing import Any

import pytest
import torch
from label_maps import most
from torch import Tensor
from torch.nn.functional import interpolate

ALPHA, BETA, TAU = 0.7, 2.0, 3.0
DKD = dict(
    type='DKD',
    loss=dict(type='DKDLoss', alpha=ALPHA, beta=BETA, tau=TAU),
    weight=0.5,
)


def decoupled(student: Tensor, teacher: Tensor, label: int) -> float:
    """Both parts of one position, from the paper's definition."""
    p, q = ((logits / TAU).softmax(0) for logits in (teacher, student))
    binary_p, binary_q = (torch.stack([x[label], 1 - x[label]]) for x in (p, q))
    target = (binary_p * (binary_p / binary_q).log()).sum()
    others = [k for k in range(len(p)) if k != label]
    p, q = p[others] / p[others].sum(), q[others] / q[others].sum()
    non_target = (p * (p / q).log()).sum()
    return float(TAU**2 * (ALPHA * target + BETA * non_target))


def test_weighs_target_and_others_apart(bench: Any, task: str) -> None:
    trial = bench(task, dkd=DKD)
    data = trial.data()

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    labels = trial.targets(data).labels
    if task == 'pixels':
        teacher = interpolate(teacher, student.shape[2:], mode='bilinear')
        labels = most(labels, student.shape[2:])
    rows = [x.movedim(1, -1).flatten(0, -2) for x in (student, teacher)]
    parts = [
        decoupled(s, t, int(label))
        for s, t, label in zip(*rows, labels.flatten(), strict=True)
        if label != 255
    ]
    assert loss.item() == pytest.approx(0.5 * sum(parts) / len(parts), rel=1e-4)


def test_gradients_reach_the_whole_student(bench: Any, task: str) -> None:
    trial = bench(task, dkd=DKD)
    head = 'head' if task == 'images' else 'decode_head'
    assert trial.check_gradients(trial.data()) == {'backbone', head}


def test_trains(bench: Any, task: str) -> None:
    bench(task, dkd=DKD).check_steps()


def test_mixed_images_have_no_target(bench: Any) -> None:
    trial = bench('images', dkd=DKD)
    data = trial.data()
    for sample in data['data_samples']:
        sample.set_gt_score(torch.tensor([0.5, 0.5, 0, 0]))
    with pytest.raises(ValueError, match=r'DKD needs one target class .* LogitsKD'):
        trial.loss(data)
