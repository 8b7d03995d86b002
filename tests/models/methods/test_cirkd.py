from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

SIZES = dict(pixel_memory=6, region_memory=4, pixel_contrast=8, region_contrast=8)
CIRKD = dict(
    type='CIRKD',
    loss=dict(type='CIRKDLoss', batch_weight=2.0, pixel_weight=3.0, region_weight=5.0),
    weight=0.5,
    **SIZES,
)
TAU = 0.1


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over rows of the divergence between the softmax of two similarities."""
    p, q = (teacher / TAU).softmax(1), (student / TAU).softmax(1)
    return (p * (p / q).log()).sum(1).mean()


def rows(features: Tensor) -> Tensor:
    return normalize(features, dim=1).movedim(1, -1).flatten(1, 2)


def test_compares_with_batch_pixels_and_regions(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = bench('pixels', cirkd=CIRKD)
    data, method = trial.data(), trial.method
    banks = {name: torch.randn(4, 3, 6) for name in ('pixels', 'regions')}
    for name, bank in banks.items():
        monkeypatch.setattr(getattr(method, name), 'draw', {3: bank}.get)

    loss = trial.loss(data)

    student, teacher = trial.features(data)
    teacher = interpolate(teacher, student.shape[2:], mode='bilinear')
    pairs = list(product(range(2), repeat=2))
    s, t = rows(student), rows(teacher)
    batch = sum(divergence(s[i] @ s[j].T, t[i] @ t[j].T) for i, j in pairs) / len(pairs)
    embedded = rows(method.double().projector(student))
    valid = trial.targets(data).resized(student.shape[2:]).valid.flatten(1)
    memory = {}
    for name, bank in banks.items():
        others = normalize(bank.double().flatten(0, 1))
        memory[name] = divergence(embedded[valid] @ others.T, t[valid] @ others.T)
    expected = 0.5 * (2 * batch + 3 * memory['pixels'] + 5 * memory['regions'])
    assert loss.item() == pytest.approx(expected.item(), rel=1e-3)


def test_queues_hold_the_teachers_pixels_and_regions(bench: Any) -> None:
    trial = bench('pixels', cirkd=CIRKD | dict(pixel_memory=200, region_memory=2))
    # In this batch, the teacher's features are not all zero at any pixel.
    data = trial.data(seed=1)

    trial.loss(data)

    method = trial.method
    _, teacher = trial.features(data)
    targets = trial.targets(data).resized(teacher.shape[2:])
    unit = normalize(teacher)
    for label in range(4):
        groups = [
            image.movedim(0, -1)[chosen == label]
            for image, chosen in zip(unit, targets.labels, strict=True)
        ]
        groups = [group for group in groups if len(group)]
        regions = normalize(torch.stack([group.mean(0) for group in groups]))
        found = method.regions.rows[label, : len(groups)].double()
        torch.testing.assert_close(found, regions, rtol=0, atol=1e-5)
        count = sum(min(len(group), method.pixels_per_image) for group in groups)
        assert method.pixels.ends[label] == count
        for pixel in method.pixels.rows[label, :count].double():
            nearest = torch.cat(groups) @ pixel
            assert nearest.max().item() == pytest.approx(1, abs=1e-5)


def test_gradients_reach_student_and_projector(bench: Any) -> None:
    trial = bench('pixels', cirkd=CIRKD)
    assert trial.check_gradients(trial.data()) == {'backbone', 'decode_head'}
    assert trial.method.projector.layers[0].weight.grad.any()


def test_trains(bench: Any) -> None:
    bench('pixels', cirkd=CIRKD).check_steps()


def test_a_trial_run_leaves_the_queues_alone(bench: Any) -> None:
    trial = bench('pixels', cirkd=CIRKD)
    trial.check_trial_run(trial.data())


@pytest.mark.parametrize('left_out', ['pixel_memory', 'region_memory'])
def test_parts_can_be_left_out(bench: Any, left_out: str) -> None:
    trial = bench('pixels', cirkd=CIRKD | {left_out: 0})
    assert getattr(trial.method, left_out.split('_')[0] + 's') is None
    trial.check_steps()


def test_without_memory_there_is_no_projector(bench: Any) -> None:
    trial = bench('pixels', cirkd=CIRKD | dict(pixel_memory=0, region_memory=0))
    assert not list(trial.method.parameters())
    trial.check_steps()


def test_a_batch_without_any_class_trains(bench: Any) -> None:
    trial = bench('pixels', cirkd=CIRKD)
    before = trial.method.pixels.rows.clone()
    loss = trial.loss(trial.data(ignored=1.1))
    loss.backward()
    assert loss.isfinite()
    assert torch.equal(trial.method.pixels.rows, before)


def test_queues_are_in_the_checkpoint(bench: Any) -> None:
    odd = CIRKD | dict(pixel_memory=7, region_memory=5)
    trial, other = (bench('pixels', cirkd=odd) for _ in range(2))
    trial.check_steps()
    other.distiller.load_state_dict(trial.distiller.state_dict())
    for name in ('pixels', 'regions'):
        queue, restored = getattr(trial.method, name), getattr(other.method, name)
        assert torch.equal(queue.rows, restored.rows)
        assert torch.equal(queue.ends, restored.ends)
        assert queue.ends.any()


def test_defaults_are_the_published_ones(bench: Any) -> None:
    method = bench('pixels', cirkd=dict(type='CIRKD')).method
    assert method.pixels.rows.shape == (4, 20000, 6)
    assert method.regions.rows.shape == (4, 2000, 6)
    assert method.contrasts == (1025, 257)
    assert method.pixels_per_image == 16


@pytest.mark.parametrize(
    ('name', 'value', 'minimum'),
    [
        ('pixel_memory', -1, 0),
        ('region_memory', -1, 0),
        ('pixels_per_image', 0, 1),
        ('pixel_contrast', 0, 1),
        ('region_contrast', 0, 1),
    ],
)
def test_wrong_settings(bench: Any, name: str, value: int, minimum: int) -> None:
    with pytest.raises(ValueError, match=f'{name} must be at least {minimum}, got'):
        bench('pixels', cirkd=CIRKD | {name: value})


def test_has_no_meaning_for_images(bench: Any) -> None:
    with pytest.raises(ValueError, match=r'CIRKD compares .* Use CRD'):
        bench('images', cirkd=CIRKD)
