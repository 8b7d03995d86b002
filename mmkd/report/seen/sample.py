"""An evenly spread sample of the validation images."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from mmengine.registry import DATASETS
from torch import Tensor

from mmkd.evenly import evenly
from mmkd.models.class_names import names_of
from mmkd.models.tasks import Task
from mmkd.registry import scope_of
from mmkd.setup import setup

SIDE = 288
"""Maximum length of a picture's longer side on the page, in pixels."""


@dataclass
class Sample:
    """Some images of a data set.

    Attributes:
        dataset: The whole set.
        numbers: Indices of the images in it.
    """

    dataset: Any
    numbers: Sequence[int]

    @property
    def total(self) -> int:
        """How many images the whole set has."""
        return len(self.dataset)

    def batches(self, size: int) -> Iterator[list[Mapping[str, Any]]]:
        """Read the images in batches, as the data pipeline returns them."""
        for begin in range(0, len(self.numbers), size):
            numbers = self.numbers[begin : begin + size]
            yield [self.dataset[number] for number in numbers]

    def classes(self, count: int) -> list[str]:
        """The class names, or numbers if the data set does not name all classes."""
        names = [str(name) for name in names_of(self.dataset) or ()]
        return names if len(names) == count else [str(n) for n in range(count)]

    def palette(self, count: int) -> np.ndarray:
        """A colour per class, RGB ``(count, 3)``: the data set's, or generated ones."""
        meta = getattr(self.dataset, 'metainfo', None) or {}
        own = np.array(meta.get('palette') or [], np.uint8)
        if own.shape == (count, 3):
            return own
        hues = np.arange(count) * 137.5 % 180
        light = np.where(np.arange(count) % 2, 150, 230)
        hsv = np.stack([hues, np.full(count, 170), light], 1).astype(np.uint8)
        return cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]

    def image(self, place: int) -> np.ndarray:
        """A small version of an image, RGB ``(H, W, 3)``.

        Args:
            place: Index of the image in the sample.
        """
        item = self.dataset[self.numbers[place]]
        pixels = item['inputs'].numpy().transpose(1, 2, 0)
        if item['data_samples'].get('img_path'):
            # OpenCV reads BGR.
            pixels = pixels[..., ::-1]
        if pixels.shape[2] == 1:
            pixels = pixels.repeat(3, 2)
        pixels = np.ascontiguousarray(pixels[..., :3].clip(0, 255).astype(np.uint8))
        size = small_size(*pixels.shape[:2])
        return cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA)

    def labels(self, place: int, task: Task) -> np.ndarray:
        """The small label map ``(h, w)`` of an image; -1 where there is no label."""
        item = self.dataset[self.numbers[place]]
        return small(task.expected_of(item['data_samples'])[0])


def read_sample(settings: Mapping[str, Any], count: int) -> Sample:
    """Build the validation set of a training and select images from it.

    Args:
        settings: The training's config.
        count: How many images, at most.

    Raises:
        ValueError: If it has no validation set.
        Exception: Whatever building the data set raises.
    """
    setup()
    if not settings.get('val_dataloader'):
        raise ValueError('its config has no validation set')
    dataset = Config(dict(data=settings['val_dataloader']['dataset'])).data
    with scope_of(settings):
        built = DATASETS.build(dataset)
    return Sample(built, evenly(len(built), count))


def small(labels: Tensor) -> np.ndarray:
    """A label map ``(H, W)`` at the size of pictures."""
    values = labels.cpu().numpy().astype(np.int16)
    size = small_size(*values.shape)
    return cv2.resize(values, size[::-1], interpolation=cv2.INTER_NEAREST)


def small_size(height: int, width: int) -> tuple[int, int]:
    """Height and width of a picture on the page; small images keep theirs."""
    scale = min(1, SIDE / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))
