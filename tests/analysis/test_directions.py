"""Gradients at features and rows, against PyTorch's own and on constructed cases."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import Noise
from torch import Tensor

from mmkd.analysis.directions import Directions, cosines, directions_of
from mmkd.analysis.directions_picture import draw
from mmkd.loss_groups import groups_of

ONE_HEAD = dict(kd=dict(type='LogitsKD', loss=dict(type='BinaryKLLoss')))


def made(at_logits: Tensor, classes: int = 4) -> Directions:
    """Six features whose gradients at the logits are given."""
    torch.manual_seed(0)
    features, rows = torch.rand(6, 5).double(), torch.randn(classes, 5).double()
    return Directions(
        features,
        torch.arange(6) % classes,
        rows,
        None,
        at_logits @ rows,
        at_logits,
        None,
    )


def test_equal_opposite_and_orthogonal_gradients() -> None:
    one, other = torch.eye(3).double()[:2]
    pairs = [(one, 2 * one), (one, -3 * one), (one, other), (one, 0 * one)]
    gradients = torch.stack([torch.stack(side) for side in zip(*pairs, strict=True)])
    assert cosines(gradients).tolist() == pytest.approx([1, -1, 0])


def test_losses_that_oppose_each_other_at_the_logits_do_so_everywhere() -> None:
    torch.manual_seed(1)
    gradient = torch.randn(6, 4).double()
    found = made(torch.stack([gradient, -0.1 * gradient]))
    assert found.feature_cosines.tolist() == pytest.approx([-1] * 6)
    assert found.row_cosines.tolist() == pytest.approx([-1] * 4)
    found = made(torch.stack([gradient, 0 * gradient]))
    assert len(found.feature_cosines) == len(found.row_cosines) == 0


def test_gradients_at_rows_are_those_of_the_weights(
    tiny: Any, task: str, trained_of: Callable
) -> None:
    model = tiny.distiller(task, ONE_HEAD)
    run = trained_of(model, task)
    if task == 'pixels':
        # Logits at unlabelled positions have a gradient too, and are ignored.
        for number, sample in enumerate(run.loader.dataset.batch['data_samples']):
            sample.gt_sem_seg.data.fill_(number % 4)
    found = directions_of(run, images=8, positions=10_000)
    view = model.student_view
    weight = next(model.get_submodule(view.classifier).parameters())
    totals = [torch.zeros_like(weight) for _ in range(2)]
    for data in run.batches(8):
        groups = groups_of(model.parse_losses(model(**data, mode='loss'))[0])
        for total, loss in zip(totals, groups, strict=True):
            total += torch.autograd.grad(loss, weight, retain_graph=True)[0]
    assert found.rows.shape == weight.flatten(1).shape
    for mine, total in zip(found.at_rows(), totals, strict=True):
        torch.testing.assert_close(mine.float(), total.flatten(1), rtol=1e-4, atol=1e-6)
    # A logit is a row times a feature.
    expected = found.at_logits @ found.rows
    torch.testing.assert_close(found.at_features, expected, rtol=1e-3, atol=1e-6)


def test_a_head_of_its_own_takes_the_distillation_from_the_rows(
    tiny: Any, task: str, trained_of: Callable
) -> None:
    model = tiny.distiller(task)
    found = directions_of(trained_of(model, task), images=8, positions=16)
    assert found.at_logits[0].abs().sum() > 0
    assert found.at_logits[1].abs().sum() == 0
    assert len(found.row_cosines) == 0
    assert len(found.feature_cosines) == len(found.features) == len(found.labels)
    head = model.methods['dual_head'].head.classifier.weight.flatten(1)
    torch.testing.assert_close(found.head_rows, head.detach().double())
    at_head = found.at_head_rows()
    assert at_head[0].abs().sum() == 0
    assert at_head[1].abs().sum() > 0
    # The task reaches the features through its rows, distillation through the head's.
    expected = torch.stack(
        [found.at_logits[0] @ found.rows, found.at_head_logits[1] @ found.head_rows]
    )
    torch.testing.assert_close(found.at_features, expected, rtol=1e-3, atol=1e-6)


def test_a_teacher_with_other_names_first(tiny: Any, trained_of: Callable) -> None:
    names, order = Noise.metainfo['classes'], [2, 0, 3, 1]
    methods, found = dict(kd=dict(type='LogitsKD')), []
    for permuted in (False, True):
        teacher = tiny.teacher(tiny.model('images', width=8))
        checkpoint = torch.load(teacher['checkpoint'])
        if permuted:
            state = checkpoint['state_dict']
            state |= {k: v[order] for k, v in state.items() if k.startswith('head.fc')}
        own = [names[n] for n in order] if permuted else names
        checkpoint['meta'] = dict(dataset_meta=dict(classes=own))
        torch.save(checkpoint, teacher['checkpoint'])
        model = tiny.distiller('images', methods, teacher=teacher)
        found.append(directions_of(trained_of(model, 'images'), 8, 8))
    for one, other in zip(found[0].at_logits, found[1].at_logits, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-7)


def test_schedules_do_not_matter(tiny: Any, trained_of: Callable) -> None:
    found = [
        directions_of(
            trained_of(
                tiny.distiller('images', dict(kd=dict(type='LogitsKD', **times))),
                'images',
            ),
            8,
            8,
        ).at_logits
        for times in ({}, dict(start=1, warmup=2))
    ]
    assert torch.equal(*found)


def test_methods_that_need_the_training_images(
    tiny: Any, trained_of: Callable
) -> None:
    model = tiny.distiller('images', dict(crd=dict(type='CRD')))
    with pytest.raises(ValueError, match=r'methods\.crd compares training images'):
        directions_of(trained_of(model, 'images'), 8, 8)


def test_padding_is_left_out(tiny: Any, trained_of: Callable) -> None:
    model = tiny.distiller('pixels', ONE_HEAD)
    run = trained_of(model, 'pixels')
    model.data_preprocessor.test_cfg = dict(size=(64, 48))
    found = directions_of(run, images=8, positions=10_000)
    # Of the 8x6 positions, those of the 4x4 that the image covers.
    assert len(found.features) <= 8 * 16
    padded = [
        sample
        for data in run.batches(8)
        for sample in data['data_samples']
        if any(sample.img_padding_size)
    ]
    assert len(padded) == 8


def test_a_model_without_a_teacher(tiny: Any, trained_of: Callable) -> None:
    with pytest.raises(ValueError, match='one loss only'):
        directions_of(trained_of(tiny.plain('images'), 'images'), 8, 8)


def test_a_row_of_panels_for_each_training() -> None:
    torch.manual_seed(1)
    found = made(torch.randn(2, 6, 4).double())
    figure = draw({'one': found, 'two': found}, list('abcd'), 1)
    assert len(figure.axes) == 6
    assert 'below 0' in figure.axes[2].get_xlabel()
