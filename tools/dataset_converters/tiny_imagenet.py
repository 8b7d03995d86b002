"""Convert Tiny ImageNet to tin100, the data set of configs here: 100 classes, 32x32.

Example:
    mmkd convert tiny-imagenet tiny-imagenet-200.zip data/tin100

SRC is the archive of http://cs231n.stanford.edu/tiny-imagenet-200.zip (Le and Yang,
"Tiny ImageNet visual recognition challenge", 2015), or the folder in it: 200 classes,
500 training and 50 validation images of 64x64 each. DST, which must not exist yet,
gets CIFAR-100's file format. Nothing is downloaded.

It contains every second class, sorted by WordNet id. Images are resized by area
averaging and compressed as JPEG of quality 85. Training images are in a fixed random
order; ``--per-class`` takes the first of each class, and all validation images.
"""

import hashlib
import pickle
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np

from mmkd.cli.command_line import positive
from mmkd.cli.parser import command_parser
from mmkd.nearest import listed
from mmkd.originals import (
    Place,
    digest_of,
    new_folder,
    opened,
    read_image,
    read_text,
)

NAME = 'tiny-imagenet-200'
ALL_CLASSES, PER_CLASS, VALIDATION = 200, 500, 50
SIZE = 32
QUALITY = 85
DIGESTS = {
    ('train', 50_000): '31d910de49608ff0',
    ('train', 25_000): '0f6a151d36ac3408',
    ('train', 20_000): 'e0fed9656dc8023b',
    ('train', 10_000): 'bfe78a8c2b4f2b7c',
    ('test', 5_000): '3e129cd55a3910ab',
}
"""How the digests of the original begin, by split and number of images."""

PROTOCOL = 4
"""Pickle protocol, fixed so that every Python version writes the same bytes."""


def class_ids(source: Place) -> list[str]:
    """WordNet ids of the classes, by label.

    Raises:
        FileNotFoundError: If the original has no list of classes.
        ValueError: If it does not list 200.
    """
    known = sorted(set(read_text(source / 'wnids.txt').split()))
    if len(known) != ALL_CLASSES:
        raise ValueError(
            f'{source / "wnids.txt"} must name {ALL_CLASSES} classes, got {len(known)}.'
        )
    return known[::2]


def training(
    source: Place, ids: Sequence[str], count: int
) -> Iterator[tuple[Place, int]]:
    """Training images with their labels.

    Args:
        source: The original.
        ids: See :func:`class_ids`.
        count: Number of images per class.
    """
    # The order of the data set that results here were measured on.
    every = [(label, n) for label in range(len(ids)) for n in range(PER_CLASS)]
    random.Random(0).shuffle(every)
    taken = Counter[int]()
    for label, number in every:
        taken[label] += 1
        if taken[label] <= count:
            folder = source / 'train' / ids[label] / 'images'
            yield folder / f'{ids[label]}_{number}.JPEG', label


def validation(source: Place, ids: Sequence[str]) -> Iterator[tuple[Place, int]]:
    """Validation images with their labels, class by class.

    Raises:
        ValueError: If a line has no class, an image is listed twice, or a class has
            more or fewer than 50.
    """
    listing = source / 'val' / 'val_annotations.txt'
    lines = [line.split('\t') for line in read_text(listing).splitlines()]
    for number, line in enumerate(lines, 1):
        if len(line) < 2:
            raise ValueError(
                f'{listing}, line {number} must be an image and its class, got '
                f'{line[0]!r}.'
            )
    counts = Counter(name for name, *_ in lines)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError(f'{listing} lists images more than once: {listed(twice)}.')
    for label, wnid in enumerate(ids):
        names = [name for name, found, *_ in lines if found == wnid]
        if len(names) != VALIDATION:
            raise ValueError(
                f'{listing} must name {VALIDATION} images of {wnid}, got {len(names)}.'
            )
        yield from ((source / 'val' / 'images' / name, label) for name in names)


def small(place: Place) -> np.ndarray:
    """Read an image and resize it to 32x32.

    Returns:
        Its pixels as CIFAR-100 stores them, ``(3072,)``: channel (RGB), row, column.
    """
    image = read_image(place, (2 * SIZE, 2 * SIZE, 3))
    image = cv2.resize(image, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    jpeg = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
    pixels = cv2.imdecode(jpeg, cv2.IMREAD_COLOR)
    assert pixels is not None
    return pixels[:, :, ::-1].transpose(2, 0, 1).reshape(-1)


def write(path: Path, images: Iterable[tuple[Place, int]]) -> str:
    """Write a split.

    Returns:
        A line about it, with the digest of pixels and labels, compared if known.

    Raises:
        FileNotFoundError: If an image is missing.
        ValueError: If one cannot be read or has another size.
    """
    places, labels = zip(*images, strict=True)
    data = np.stack([small(place) for place in places])
    _dump({'data': data, 'fine_labels': list(labels)}, path)
    digest = hashlib.sha256(data.tobytes() + np.array(labels, '<i8').tobytes())
    size = f'{len(data):,} images of {SIZE}x{SIZE}'
    words = digest_of(digest.hexdigest(), DIGESTS.get((path.name, len(data))))
    return f'{path.name}: {size}, {words}'


def _dump(content: dict[str, object], path: Path) -> None:
    path.write_bytes(pickle.dumps(content, protocol=PROTOCOL))


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and convert."""
    parser = command_parser(__doc__)
    parser.add_argument('src', type=Path, metavar='SRC', help='archive or folder')
    parser.add_argument('dst', type=Path, metavar='DST', help='folder to write')
    parser.add_argument(
        '--per-class',
        type=positive,
        default=PER_CLASS,
        metavar='N',
        help='training images per class (default: all)',
    )
    args = parser.parse_args(argv)
    if args.per_class > PER_CLASS:
        parser.error(f'--per-class must be at most {PER_CLASS}, got {args.per_class}.')
    try:
        source = opened(args.src, NAME)
        ids = class_ids(source)
        with new_folder(args.dst) as partial:
            folder = partial / 'cifar-100-python'
            folder.mkdir()
            lines = [
                write(folder / 'train', training(source, ids, args.per_class)),
                write(folder / 'test', validation(source, ids)),
            ]
            _dump({'fine_label_names': ids}, folder / 'meta')
    except (OSError, ValueError) as error:
        raise SystemExit(f'{parser.prog}: {error}') from None
    print(f'{args.dst}: {len(ids)} classes of Tiny ImageNet', *lines, sep='\n')


if __name__ == '__main__':
    main()
