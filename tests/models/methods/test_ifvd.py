from typing import Any

import pytest
import torch
from torch import Tensor

IFVD = dict(type='IFVD', weight=2.0)


def variation(feature: Tensor, labels: Tensor, row: int, column: int) -> Tensor:
    """Cosine between a pixel and the centre of its class in its image."""
    centre = feature[:, labels == labels[row, column]].mean(1)
    return torch.cosine_similarity(feature[:, row, column], centre, 0)


def test_compares_pixels_with_the_centre_of_their_class(bench: Any) -> None:
    trial = bench('pixels', ifvd=IFVD)
    data = trial.data()

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    labels = trial.targets(data).resized(student.shape[2:]).labels
    assert (labels == 255).any()
    errors = [
        variation(s, label, *pixel) - variation(t, label, *pixel)
        for s, t, label in zip(student, teacher, labels, strict=True)
        for pixel in (label != 255).nonzero().tolist()
    ]
    expected = 2 * torch.stack(errors).square().mean()
    assert loss.item() == pytest.approx(expected.item(), rel=1e-4)


def test_gradients_reach_up_to_the_classifier(bench: Any) -> None:
    trial = bench('pixels', ifvd=IFVD)
    assert trial.check_gradients(trial.data()) == {'backbone', 'decode_head'}
    assert trial.distiller.decode_head.conv_seg.weight.grad is None


def test_trains(bench: Any) -> None:
    bench('pixels', ifvd=IFVD).check_steps()


def test_a_batch_without_any_class_costs_nothing(bench: Any) -> None:
    trial = bench('pixels', ifvd=IFVD)
    assert trial.loss(trial.data(ignored=1.1)).item() == 0


def test_has_no_meaning_for_images(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'IFVD compares .* Use CC'):
        bench('images', ifvd=IFVD)
