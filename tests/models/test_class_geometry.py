"""Measures of neural collapse, on constructed features."""

import math

import pytest
import torch
from torch import Tensor

from mmkd.models.class_geometry import ClassMoments, spread

CLASSES, WIDTH, EACH = 5, 12, 40


def simplex(classes: int = CLASSES, width: int = WIDTH) -> Tensor:
    """The unit vectors of a simplex equiangular tight frame, one per row."""
    generator = torch.Generator().manual_seed(0)
    axes = torch.linalg.qr(torch.randn(width, classes, generator=generator))[0].double()
    frame = torch.eye(classes).double() - 1 / classes
    return (classes / (classes - 1)) ** 0.5 * (axes @ frame).T


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).double()


def moments(features: Tensor, labels: Tensor, pieces: int = 1) -> ClassMoments:
    found = ClassMoments(CLASSES)
    for part in torch.arange(len(labels)).chunk(pieces):
        found.add(features[part], labels[part])
    return found


@pytest.fixture
def labels() -> Tensor:
    return torch.arange(CLASSES).repeat(EACH)


def test_a_simplex_frame_with_its_own_classifier_has_collapsed(labels: Tensor) -> None:
    frame = simplex()
    # Its position and the length of its vectors do not matter.
    found = moments(3 * frame[labels] + noise(WIDTH), labels).collapse(0.2 * frame)
    for name, value in found.as_dict().items():
        assert value == pytest.approx(0, abs=1e-6), name


def test_a_random_classifier_is_not_aligned(labels: Tensor) -> None:
    found = moments(simplex()[labels], labels).collapse(noise(CLASSES, WIDTH))
    assert found.within == pytest.approx(0, abs=1e-6)
    assert found.mean_angles == pytest.approx(0, abs=1e-6)
    assert 1 < found.alignment < 3
    assert found.row_angles > 0.05
    assert found.row_norms > 0.05


def test_opposite_and_orthogonal_classifiers(labels: Tensor) -> None:
    frame = simplex()
    found = moments(frame[labels], labels)
    assert found.collapse(-frame).alignment == pytest.approx(4)
    # In directions that no feature has.
    others = simplex(2 * CLASSES, 2 * WIDTH)[:, :WIDTH]
    axes = torch.linalg.svd(frame)[2]
    orthogonal = others[:CLASSES, : WIDTH - CLASSES] @ axes[CLASSES:]
    assert found.collapse(orthogonal).alignment == pytest.approx(2, abs=1e-6)


def test_orthogonal_means_are_a_simplex_about_their_centre(labels: Tensor) -> None:
    found = moments(torch.eye(WIDTH).double()[labels], labels).collapse(simplex())
    assert found.mean_angles == pytest.approx(0, abs=1e-6)


def test_lengths_that_differ(labels: Tensor) -> None:
    directions = torch.cat([torch.eye(2), -torch.eye(2)]).double()
    lengths = torch.tensor([1.0, 2.0, 1.0, 2.0]).double()
    four = labels[labels < 4]
    found = moments((lengths[:, None] * directions)[four], four)
    measured = found.collapse(directions[[0, 1, 2, 3, 0]])
    assert measured.mean_norms == pytest.approx(0.5 / 1.5)
    # Cosines 0, 0, -1, whereas a frame of four has -1/3 each.
    assert measured.mean_angles == pytest.approx((1 / 3 + 1 / 3 + 2 / 3) / 3)


def test_variability_is_that_of_the_definition(labels: Tensor) -> None:
    means = 2 * noise(CLASSES, WIDTH)
    features = means[labels] + noise(len(labels), WIDTH, seed=2)
    found = moments(features, labels).collapse(noise(CLASSES, WIDTH, seed=3)).within
    centres = torch.stack([features[labels == k].mean(0) for k in range(CLASSES)])
    apart = features - centres[labels]
    within = sum(torch.outer(x, x) for x in apart) / len(apart)
    centred = centres - centres.mean(0)
    between = sum(torch.outer(x, x) for x in centred) / CLASSES
    expected = torch.trace(within @ torch.linalg.pinv(between)) / CLASSES
    assert found == pytest.approx(expected.item(), rel=1e-6)
    wider = means[labels] + 2 * noise(len(labels), WIDTH, seed=2)
    assert moments(wider, labels).collapse(noise(CLASSES, WIDTH)).within > 2 * found


def test_batches_and_order_of_classes_play_no_part(labels: Tensor) -> None:
    features, rows = noise(len(labels), WIDTH), noise(CLASSES, WIDTH, seed=3)
    whole = moments(features, labels).collapse(rows).as_dict()
    assert moments(features, labels, 7).collapse(rows).as_dict() == pytest.approx(whole)
    order = torch.tensor([3, 1, 4, 0, 2])
    moved = moments(features, order.argsort()[labels]).collapse(rows[order]).as_dict()
    assert moved == pytest.approx(whole)


def test_features_that_are_all_the_same_have_no_directions(labels: Tensor) -> None:
    same = noise(1, WIDTH).expand(len(labels), -1)
    found = moments(same, labels, 7).collapse(simplex()).as_dict()
    nowhere = {'within', 'mean_angles', 'mean_norms', 'alignment'}
    assert {name for name, value in found.items() if math.isnan(value)} == nowhere
    assert moments(0 * same, labels).collapse(simplex()).as_dict() == pytest.approx(
        found, nan_ok=True
    )


def test_classes_that_were_not_seen_are_left_out(labels: Tensor) -> None:
    frame, some = simplex(), labels[labels > 0]
    found = moments(frame[some], some).collapse(frame)
    assert found.mean_norms == pytest.approx(0, abs=1e-6)
    assert found.alignment == pytest.approx(0, abs=1e-6)
    one = torch.zeros(3, dtype=torch.int64)
    with pytest.raises(ValueError, match='features of 1 were seen'):
        moments(frame[one], one).collapse(frame)


def test_some_positions_with_a_class_are_spread_evenly() -> None:
    valid = torch.tensor([False, True] * 50)
    places = spread(valid, 4)
    assert valid[places].all()
    assert places.tolist() == [1, 33, 67, 99]
    assert spread(valid[:4], 4).tolist() == [1, 3]
    assert spread(torch.zeros(5, dtype=torch.bool), 4).tolist() == []
