"""The networks to measure, with noise images in the formats of their data."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn

from mmkd.config.experiments import CONFIGS, load_config
from mmkd.models import build_model
from mmkd.models.build import model_dict


@dataclass(frozen=True)
class Pair:
    """A pair of ``configs/_base_/pairs`` and the images of a step.

    Attributes:
        name: Its name.
        student: Config of the student alone, in a package or the clone.
        networks: Teacher and student, human-readable.
        batch: Images per batch.
        size: Height and width of an image in pixels.
        write_data: Writes noise images into a folder, enough for a step or two.
        is_maps: Whether pixels are classified.
    """

    name: str
    student: str
    networks: str
    batch: int
    size: tuple[int, int]
    write_data: Callable[['Pair', Path], None]
    is_maps: bool = False

    @property
    def title(self) -> str:
        """Networks and batch."""
        height, width = self.size
        return f'{self.networks}, {self.batch}x{height}x{width}'


def write_cifar(pair: Pair, folder: Path, batches: int = 2) -> None:
    """Write CIFAR-100's files with noise images.

    Args:
        pair: Determines how many images a batch has.
        folder: The data root.
        batches: How many batches.
    """
    random, count = np.random.default_rng(0), batches * pair.batch
    images = random.integers(0, 256, (count, 3 * 32 * 32), dtype=np.uint8)
    content = dict(data=images, fine_labels=random.integers(0, 100, count).tolist())
    (folder / 'cifar-100-python').mkdir(parents=True)
    for split in ('train', 'test'):
        (folder / 'cifar-100-python' / split).write_bytes(pickle.dumps(content))


def write_streets(pair: Pair, folder: Path) -> None:
    """Write noise images and masks in Cityscapes' layout.

    Args:
        pair: Determines their number and size.
        folder: The data root.
    """
    random = np.random.default_rng(0)
    for split in ('train', 'val'):
        images, masks = (folder / kind / split for kind in ('leftImg8bit', 'gtFine'))
        for town in (images, masks):
            (town / 'town').mkdir(parents=True)
        for number in range(pair.batch):
            image = random.integers(0, 256, (*pair.size, 3), dtype=np.uint8)
            mask = random.integers(0, 11, pair.size, dtype=np.uint8)
            cv2.imwrite(str(images / f'town/{number}_leftImg8bit.png'), image)
            cv2.imwrite(str(masks / f'town/{number}_gtFine_labelTrainIds.png'), mask)


IMAGES = Pair(
    'resnet32x4_resnet8x4_cifar100',
    str(CONFIGS / 'students' / 'resnet8x4_cifar100.py'),
    'resnet32x4→resnet8x4',
    64,
    (32, 32),
    write_cifar,
)
PIXELS = Pair(
    'deeplabv3_r18_cityscapes',
    'mmseg::deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'DeepLabV3 R101→R18',
    2,
    (128, 256),
    write_streets,
    is_maps=True,
)
PAIRS = {
    'cpu': (IMAGES, PIXELS),
    'cuda': (IMAGES, replace(PIXELS, batch=4, size=(512, 1024))),
}
"""The pairs of the table, by device; small maps would not keep a GPU busy."""


def write_teacher(pair: Pair, file: Path) -> None:
    """Write random weights of a teacher, with norm statistics that fit its activations.

    The running means and variances of an untrained network would let activations grow
    from layer to layer.

    Args:
        pair: The pair.
        file: The checkpoint.
    """
    teacher = plain_teacher(pair)
    for module in teacher.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = 1.0
    with torch.no_grad():
        teacher.train()(torch.randn(pair.batch, 3, *pair.size))
    torch.save(teacher.state_dict(), file)


def plain_teacher(pair: Pair) -> nn.Module:
    """The teacher as MMPretrain or MMSegmentation builds it, with random weights."""
    return build_model(model_dict(load_config(pair.name).model.teacher.config))
