"""The differences between the demo's two tasks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np

from mmkd_demo.digits import write_digits
from mmkd_demo.folders import load_image
from mmkd_demo.networks import Network
from mmkd_demo.street_scenes import write_street_scenes

BLACK, GREEN, RED = (0, 0, 0), (60, 140, 30), (40, 40, 210)
DIGIT_SIZE, TILE = 64, (72, 128)


class DemoTask(Protocol):
    """A task of the demo.

    Attributes:
        shown: What the picture shows.
    """

    shown: str

    def write(self, folder: Path) -> bool:
        """Write the images; return whether they had to be written."""

    def asked(self, count: int) -> range:
        """Indices of the validation images that every network predicts."""

    def rows(self, networks: Sequence[Network]) -> list[list[np.ndarray]]:
        """Tiles of one size: image, ground truth, and the networks' predictions."""


class Segmentation:
    """Street scenes."""

    shown = 'validation scenes'

    def write(self, folder: Path) -> bool:
        """Draw the scenes."""
        return write_street_scenes(folder)

    def asked(self, count: int) -> range:
        """Four scenes."""
        return range(0, count, -(-count // 4))

    def rows(self, networks: Sequence[Network]) -> list[list[np.ndarray]]:
        """All predictions, in the colours of Cityscapes."""
        colours = np.zeros((256, 3), np.uint8)
        palette = np.array(networks[0].dataset_meta['palette'], np.uint8)
        colours[: len(palette)] = palette[:, ::-1]

        def coloured(label_map: Any) -> np.ndarray:
            return colours[label_map.data[0].numpy()]

        return [
            [
                load_image(samples[0].img_path),
                coloured(samples[0].gt_sem_seg),
                *[coloured(sample.pred_sem_seg) for sample in samples],
            ]
            for samples in zip(*[network.answers for network in networks], strict=True)
        ]


class Classification:
    """Handwritten digits."""

    shown = 'validation digits on which the networks disagree'

    def write(self, folder: Path) -> bool:
        """Write scikit-learn's digits."""
        return write_digits(folder)

    def asked(self, count: int) -> range:
        """Every digit."""
        return range(count)

    def rows(self, networks: Sequence[Network]) -> list[list[np.ndarray]]:
        """At most ten digits, spread over those on which the networks disagree."""
        disputed = []
        for samples in zip(*[network.answers for network in networks], strict=True):
            answers = [int(sample.pred_label) for sample in samples]
            if len(set(answers)) > 1:
                truth = int(samples[0].gt_label)
                disputed.append((samples[0].img_path, truth, answers))
        step = max(1, len(disputed) // 10)
        return [
            [
                _digit(load_image(path)),
                _written(truth, BLACK),
                *[
                    _written(answer, GREEN if answer == truth else RED)
                    for answer in answers
                ],
            ]
            for path, truth, answers in disputed[::step][:10]
        ]


def _digit(image: np.ndarray) -> np.ndarray:
    tile = np.full((*TILE, 3), 255, np.uint8)
    top, left = ((side - DIGIT_SIZE) // 2 for side in TILE)
    tile[top : top + DIGIT_SIZE, left : left + DIGIT_SIZE] = cv2.resize(
        image, (DIGIT_SIZE, DIGIT_SIZE), interpolation=cv2.INTER_NEAREST
    )
    return tile


def _written(label: int, colour: tuple[int, int, int]) -> np.ndarray:
    tile = np.full((*TILE, 3), 255, np.uint8)
    place = TILE[1] // 2 - 12, TILE[0] // 2 + 14
    font = cv2.FONT_HERSHEY_SIMPLEX
    return cv2.putText(tile, str(label), place, font, 1.3, colour, 2, cv2.LINE_AA)


TASKS: dict[str, DemoTask] = {
    'segmentation': Segmentation(),
    'classification': Classification(),
}
"""The tasks by their names on the command line."""
