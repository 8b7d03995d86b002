from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from mmkd_demo.networks import Network
from mmkd_demo.report import captioned_grid
from mmkd_demo.tasks import TASKS


def network(name: str, answers: list[Any]) -> Network:
    return Network(name, answers, {'palette': [[10, 20, 30], [40, 50, 60]]})


def test_grid_keeps_every_image_in_its_place() -> None:
    rows = [
        [np.full((20, 60, 3), 10 * (2 * row + column), np.uint8) for column in (0, 1)]
        for row in (0, 1, 2)
    ]
    picture = captioned_grid(rows, ['left', 'right'])
    assert picture.shape == (16 + 3 * (20 + 4), 2 * 60 + 4, 3)
    for row in range(3):
        for column in range(2):
            top, left = 20 + 24 * row, 64 * column
            tile = picture[top : top + 20, left : left + 60]
            np.testing.assert_array_equal(tile, rows[row][column])
    captions = picture[:16]
    assert (captions[:, :60] < 128).any()
    assert (captions[:, 64:] < 128).any()


def seg_sample(path: str, truth: list[int], answer: list[int]) -> SimpleNamespace:
    return SimpleNamespace(
        img_path=path,
        gt_sem_seg=SimpleNamespace(data=torch.tensor([[truth]])),
        pred_sem_seg=SimpleNamespace(data=torch.tensor([[answer]])),
    )


def test_scenes_show_truth_and_answers_in_the_palette(tmp_path: Any) -> None:
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, np.full((1, 2, 3), 77, np.uint8))
    networks = [
        network('teacher', [seg_sample(path, [0, 255], [0, 1])]),
        network('student', [seg_sample(path, [0, 255], [1, 1])]),
    ]
    (row,) = TASKS['segmentation'].rows(networks)
    first, second, void = [30, 20, 10], [60, 50, 40], [0, 0, 0]
    expected = [[77] * 3] * 2, [first, void], [first, second], [second, second]
    for tile, pixels in zip(row, expected, strict=True):
        np.testing.assert_array_equal(tile, [pixels])


@pytest.mark.parametrize('count', [1, 4, 5, 100])
def test_at_most_four_scenes_are_asked_for(count: int) -> None:
    asked = TASKS['segmentation'].asked(count)
    assert 1 <= len(asked) <= 4
    assert max(asked) < count


def test_digits_show_those_that_are_not_read_alike(tmp_path: Any) -> None:
    path = str(tmp_path / 'image.png')
    cv2.imwrite(path, np.zeros((8, 8), np.uint8))

    def answers(labels: list[int]) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(
                img_path=path, gt_label=torch.tensor([3]), pred_label=torch.tensor([i])
            )
            for i in labels
        ]

    teacher, student = answers([3, 3, 5]), answers([3, 8, 5])
    networks = [network('teacher', teacher), network('student', student)]
    (row,) = TASKS['classification'].rows(networks)
    image, truth, right, wrong = row
    assert (image == 0).sum() > (image == 255).sum() * 0.5
    assert (truth.min((0, 1)) == truth.min()).all()
    assert right[..., 1].mean() > right[..., 2].mean()
    assert wrong[..., 2].mean() > wrong[..., 1].mean()
