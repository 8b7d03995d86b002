from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

SKD = dict(type='SKD', weight=2.0)


def affinity(feature: Tensor) -> Tensor:
    """Cosines between all regions of one image ``(C, H, W)``."""
    regions = max_pool2d(feature, 2).flatten(1).T
    rows = [[torch.cosine_similarity(a, b, 0) for b in regions] for a in regions]
    return torch.stack([torch.stack(row) for row in rows])


def test_compares_how_alike_regions_are(bench: Any) -> None:
    trial = bench('pixels', skd=SKD)
    data = trial.data()

    loss = trial.loss(data)

    pairs = zip(*trial.features(data), strict=True)
    errors = [(affinity(s) - affinity(t)).square().mean() for s, t in pairs]
    assert loss.item() == pytest.approx(2 * torch.stack(errors).mean().item(), rel=1e-4)


def test_gradients_reach_up_to_the_classifier(bench: Any) -> None:
    trial = bench('pixels', skd=SKD)
    assert trial.check_gradients(trial.data()) == {'backbone', 'decode_head'}
    assert trial.distiller.decode_head.conv_seg.weight.grad is None


def test_trains(bench: Any) -> None:
    bench('pixels', skd=SKD).check_steps()


def test_a_stage_may_be_named(bench: Any) -> None:
    trial = bench('pixels', skd=SKD | dict(stage=0, teacher_stage=1))
    student, teacher = trial.features(trial.data())
    assert student.shape[2:] != teacher.shape[2:]
    assert trial.check_gradients(trial.data()) == {'backbone'}


def test_its_own_weight_is_the_published_one(bench: Any) -> None:
    trial = bench('pixels', skd=dict(type='SKD'))
    assert trial.method.weight == 10


def test_has_no_meaning_for_images(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'SKD compares .* Use RKD'):
        bench('images', skd=SKD)
