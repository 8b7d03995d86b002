from itertools import permutations, product
from typing import Any

import pytest
import torch
from torch import Tensor

RKD = dict(
    type='RKD',
    loss=dict(type='RKDLoss', distance_weight=2.0, angle_weight=3.0),
    weight=0.5,
)


def distances(features: Tensor) -> Tensor:
    count = len(features)
    pairs = product(range(count), repeat=2)
    found = torch.stack([(features[i] - features[j]).norm() for i, j in pairs])
    return found / found[found > 0].mean()


def angles(features: Tensor) -> Tensor:
    def unit(i: int, j: int) -> Tensor:
        direction = features[j] - features[i]
        return direction / direction.norm()

    triples = permutations(range(len(features)), 3)
    return torch.stack([unit(i, j) @ unit(i, k) for i, j, k in triples])


def smooth_l1(a: Tensor, b: Tensor) -> Tensor:
    difference = (a - b).abs()
    return torch.where(difference < 1, difference**2 / 2, difference - 0.5).sum()


def test_compares_distances_and_angles(bench: Any) -> None:
    trial = bench('images', rkd=RKD)
    data = trial.data(count=5)

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    expected = 2 * smooth_l1(distances(student), distances(teacher)) / 5**2
    # Where two of the three indices coincide, both have the same angle, 0 or 1.
    expected = expected + 3 * smooth_l1(angles(student), angles(teacher)) / 5**3
    assert loss.item() == pytest.approx(0.5 * expected.item(), rel=1e-4)


def test_gradients_reach_the_backbone(bench: Any) -> None:
    trial = bench('images', rkd=RKD)
    assert trial.check_gradients(trial.data()) == {'backbone'}


def test_trains(bench: Any) -> None:
    bench('images', rkd=RKD).check_steps()


def test_pooled_features_are_compared(bench: Any) -> None:
    """The classifier reads the pooled map of the last stage."""
    plain = bench('images', rkd=RKD)
    staged = bench('images', rkd=RKD | dict(stage=1))
    data = plain.data()
    assert staged.loss(data).item() == pytest.approx(plain.loss(data).item(), rel=1e-5)


def test_has_no_meaning_per_pixel(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'RKD relates .* Use SKD .* CIRKD'):
        bench('pixels', rkd=RKD)
