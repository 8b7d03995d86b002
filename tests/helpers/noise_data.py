"""A few images of noise in the formats of the data sets that configs name."""

import pickle
from pathlib import Path

import cv2
import numpy as np
from scipy.io import savemat

COUNT = 8
"""Images of each split of each data set."""


def noise(*shape: int, below: int = 256) -> np.ndarray:
    return np.random.default_rng(0).integers(0, below, shape, dtype=np.uint8)


def write_cifar(root: Path, classes: int = 100) -> None:
    folder = root / 'cifar-100-python'
    folder.mkdir(parents=True)
    labels = [classes - 1 - number % classes for number in range(COUNT)]
    content = {'data': noise(COUNT, 3072), 'fine_labels': labels}
    for split in ('train', 'test'):
        (folder / split).write_bytes(pickle.dumps(content))


def write_svhn(root: Path) -> None:
    root.mkdir()
    content = {'X': noise(32, 32, 3, COUNT), 'y': 1 + noise(COUNT, 1, below=10)}
    for split in ('train', 'test'):
        savemat(root / f'{split}_32x32.mat', content)


def write_imagenet(root: Path) -> None:
    (root / 'meta').mkdir(parents=True)
    for split in ('train', 'val'):
        (root / split).mkdir()
        for index in range(COUNT):
            cv2.imwrite(str(root / split / f'{index}.jpg'), noise(48, 64, 3))
        lines = [f'{index}.jpg {999 - index}\n' for index in range(COUNT)]
        (root / 'meta' / f'{split}.txt').write_text(''.join(lines))


def write_cityscapes(root: Path, classes: int = 19) -> None:
    labels = noise(64, 96, below=classes + 1)
    labels[labels == classes] = 255
    for split in ('train', 'val'):
        for folder, suffix, image in (
            ('leftImg8bit', 'leftImg8bit', noise(64, 96, 3)),
            ('gtFine', 'gtFine_labelTrainIds', labels),
        ):
            town = root / folder / split / 'town'
            town.mkdir(parents=True)
            for index in range(COUNT):
                cv2.imwrite(str(town / f'town_{index}_{suffix}.png'), image)


def write_folders(root: Path) -> None:
    """Images, and masks of three classes."""
    for split, count in (('train', COUNT), ('val', COUNT // 2)):
        images, masks = (root / split / kind for kind in ('images', 'masks'))
        for folder in (images, masks):
            folder.mkdir(parents=True)
        for index in range(count):
            cv2.imwrite(str(images / f'{index}.png'), noise(64, 96, 3))
            cv2.imwrite(str(masks / f'{index}.png'), noise(64, 96, below=3))


WRITERS = {
    'mmkd.CIFAR100': write_cifar,
    'mmkd.SVHN': write_svhn,
    'ImageNet': write_imagenet,
    'CityscapesDataset': write_cityscapes,
}
