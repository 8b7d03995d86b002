from typing import Any

import numpy as np
import pytest
from torch.nn.functional import interpolate

DIST = dict(type='DIST', loss=dict(type='DISTLoss', beta=2.0, gamma=3.0), weight=0.5)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    rows = zip(a, b, strict=True)
    return float(np.mean([1 - np.corrcoef(x, y)[0, 1] for x, y in rows]))


def test_is_one_minus_pearsons_correlation(bench: Any, task: str) -> None:
    trial = bench(task, dist=DIST)
    data = trial.data()

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    targets = trial.targets(data).resized(student.shape[2:])
    if task == 'pixels':
        teacher = interpolate(teacher, student.shape[2:], mode='bilinear')
    s, t = (
        x.movedim(1, -1)[targets.valid].softmax(1).numpy() for x in (student, teacher)
    )
    expected = 2 * distance(s, t) + 3 * distance(s.T, t.T)
    assert loss.item() == pytest.approx(0.5 * expected, rel=1e-3)


def test_gradients_reach_the_whole_student(bench: Any, task: str) -> None:
    trial = bench(task, dist=DIST)
    head = 'head' if task == 'images' else 'decode_head'
    assert trial.check_gradients(trial.data()) == {'backbone', head}


def test_trains(bench: Any, task: str) -> None:
    bench(task, dist=DIST).check_steps()


def test_other_classes_of_the_teacher(tiny: Any) -> None:
    teacher = tiny.teacher(tiny.classifier(classes=5))
    with pytest.raises(
        ValueError, match=r'DIST compares class predictions, .* 4 classes .* 5'
    ):
        tiny.distiller('images', dict(dist=DIST), teacher=teacher)
