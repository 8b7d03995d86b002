"""Features of test images, and the selection of those to draw."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mmkd.analysis.embedding import draw, embed
from mmkd.analysis.features import Features, chosen_of, features_of
from mmkd.models.taps import capture


@pytest.mark.parametrize('kind', ['distiller', 'student alone'])
def test_they_are_what_the_classifier_reads(
    kind: str, tiny: Any, task: str, trained_of: Callable
) -> None:
    model = tiny.distiller(task) if kind == 'distiller' else tiny.plain(task)
    run = trained_of(model, task)
    found = features_of(run, images=8, positions=5)
    view = getattr(model, 'student_view', None) or tiny.distiller(task).student_view
    values, labels = [], []
    for data in run.batches(8):
        with capture(model, [view.feature]) as taps, torch.no_grad():
            model(data['inputs'], mode='tensor')
        values.append(taps[view.feature])
        labels.append(view.task.targets(data['data_samples']))
    vectors = torch.cat(values).movedim(1, -1).flatten(0, -2)
    assert len(found.vectors) == len(found.labels) == (8 if task == 'images' else 40)
    if task == 'images':
        torch.testing.assert_close(found.vectors.float(), vectors)
        assert found.labels.equal(torch.cat([each.labels for each in labels]))
    else:
        near = torch.cdist(found.vectors, vectors.double()).amin(1)
        assert near.max() < 1e-5
        assert 255 not in found.labels


def test_images_are_spread_evenly(tiny: Any, trained_of: Callable) -> None:
    run = trained_of(tiny.plain('images'), 'images')
    samples = [each for batch in run.batches(3) for each in batch['data_samples']]
    assert [sample.sample_idx for sample in samples] == [0, 4, 7]


def test_as_many_of_each_class() -> None:
    labels = torch.arange(6).repeat(10)
    chosen = chosen_of(labels, classes=3, points=12)
    assert sorted(labels[chosen].tolist()) == [0] * 4 + [2] * 4 + [5] * 4
    few = torch.tensor([0, 1, 1, 1, 1])
    assert chosen_of(few, classes=9, points=4).tolist() == [0, 1, 4]


def clusters(apart: float) -> Features:
    torch.manual_seed(0)
    labels = torch.arange(3).repeat(20)
    return Features(apart * torch.eye(3, 6)[labels] + torch.randn(60, 6), labels)


def test_silhouettes_of_classes_far_apart_and_of_none() -> None:
    assert embed(clusters(1000)).silhouette == pytest.approx(1, abs=0.01)
    assert embed(clusters(0)).silhouette == pytest.approx(0, abs=0.05)


def test_the_same_features_have_the_same_layout() -> None:
    first, second = (embed(clusters(3)).places for _ in range(2))
    assert first.shape == (60, 2)
    assert (first == second).all()


def test_one_class_has_no_silhouette() -> None:
    features = clusters(1)
    for labels in (0 * features.labels, torch.arange(60)):
        with pytest.raises(ValueError, match='have no silhouette'):
            embed(Features(features.vectors, labels))


def test_students_side_by_side() -> None:
    found = embed(clusters(3))
    figure = draw({'a': found, 'b': found}, clusters(3).labels, ['x', 'y', 'z'])
    titles = [axes.get_title(loc='left') for axes in figure.axes]
    assert [title.split('\n')[0] for title in titles] == ['a', 'b']
    assert [text.get_text() for text in figure.legends[0].texts] == ['x', 'y', 'z']
