"""Directions in many dimensions, projected for drawing."""

import pytest
import torch

from mmkd.analysis.directions import Directions
from mmkd.analysis.planes import drawn, plane_of, three_classes


def test_the_plane_has_the_three_rows_as_they_lie() -> None:
    torch.manual_seed(0)
    rows = torch.randn(3, 7).double()
    plane = plane_of(rows)
    torch.testing.assert_close(plane @ plane.T, torch.eye(2).double())
    places = rows @ plane.T
    torch.testing.assert_close(torch.cdist(places, places), torch.cdist(rows, rows))
    assert places[0, 1] > places[1, 1] == pytest.approx(places[2, 1])
    assert places[1, 0] < places[2, 0]


def test_steps_go_against_gradients_and_are_as_long() -> None:
    plane = torch.eye(3).double()[:2]
    steps = drawn(torch.tensor([[4.0, 0, 0], [0, 0, 0], [0, -1, 1]]).double(), plane)
    assert steps[0].tolist() == [-1, 0]
    assert steps[1].tolist() == [0, 0]
    assert steps[2].tolist() == pytest.approx([0, 2**0.5 / 4])


def test_the_two_classes_that_are_answered_most() -> None:
    torch.manual_seed(0)
    features, rows = torch.rand(6, 5).double(), torch.randn(4, 5).double()
    nothing = torch.zeros(2, 6, 4).double()
    found = Directions(
        features, torch.arange(6) % 4, rows, None, nothing @ rows, nothing, None
    )
    [own] = features[found.labels == 3]
    order = (rows @ own)[:3].argsort(descending=True)[:2].tolist()
    assert three_classes(found, 3) == [3, *order]
    with pytest.raises(ValueError, match='class 9 of 4 has 0 features'):
        three_classes(found, 9)
