import numpy as np
import pytest

from mmkd_demo.canvas import TRAIN_IDS, VOID, Canvas

RED = np.array([0.0, 0.0, 200.0])
HAZE = np.array([100.0, 100.0, 100.0])


@pytest.fixture
def canvas() -> Canvas:
    return Canvas(
        (40, 60),
        vanishing_point=(30, 10),
        focal_length=20,
        eye_height=2.0,
        haze=HAZE,
        visibility=50.0,
    )


def test_box_lands_where_the_pinhole_projects_it(canvas: Canvas) -> None:
    canvas.box((-1, 1), (0, 1), 4.0, RED, 'car')
    rows, columns = np.nonzero(canvas.labels == TRAIN_IDS['car'])
    # Columns 30 - 20/4 to 30 + 20/4, rows 10 + (2 - 1) 20/4 to 10 + 2 20/4.
    assert (rows.min(), rows.max()) == (15, 20)
    assert (columns.min(), columns.max()) == (25, 35)


def test_twice_as_far_is_half_as_wide(canvas: Canvas) -> None:
    canvas.box((-2, 2), (0, 1), 4.0, RED, 'car')
    canvas.box((-2, 2), (0, 1), 8.0, RED, 'bus')
    widths = [
        np.ptp(np.nonzero(canvas.labels == TRAIN_IDS[name])[1])
        for name in ('car', 'bus')
    ]
    assert widths == [20, 10]


def test_later_paint_hides_earlier(canvas: Canvas) -> None:
    canvas.box((-2, 2), (0, 2), 4.0, RED, 'building')
    canvas.ellipse((0, 1, 4.0), (0.5, 0.5), RED, 'person')
    assert canvas.labels[15, 30] == TRAIN_IDS['person']
    assert canvas.labels[15, 21] == TRAIN_IDS['building']
    assert canvas.labels[0, 0] == VOID


def test_haze_takes_63_percent_at_the_visibility(canvas: Canvas) -> None:
    canvas.box((-50, 50), (-50, 50), 50.0, RED, 'sky')
    kept = np.exp(-1)
    np.testing.assert_allclose(
        canvas.image[10, 30], kept * RED + (1 - kept) * HAZE, rtol=1e-5
    )


def test_shade_darkens_and_keeps_labels(canvas: Canvas) -> None:
    canvas.box((-50, 50), (-50, 50), 50.0, RED, 'road')
    before, labels = canvas.image.copy(), canvas.labels.copy()
    canvas.shade([(-1, 0, 4), (1, 0, 4), (1, 1, 4), (-1, 1, 4)], 0.5)
    np.testing.assert_allclose(canvas.image[18, 30], before[18, 30] / 2)
    np.testing.assert_array_equal(canvas.image[18, 40], before[18, 40])
    np.testing.assert_array_equal(canvas.labels, labels)
