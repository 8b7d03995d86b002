"""Conversion of public data sets: checked input, all-or-nothing output."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from mmkd.resilience.files import remove, whole_or_nothing

Place = Path | zipfile.Path
"""Path of a file or folder, on disk or in an archive."""


def read_text(place: Place) -> str:
    """Read a text file.

    Raises:
        FileNotFoundError: If it does not exist.
    """
    return _read(place).decode()


def read_image(place: Place, shape: tuple[int, ...]) -> np.ndarray:
    """Read an image, in colour or with one channel.

    Args:
        place: Its path.
        shape: The required shape: ``(H, W, 3)``, which also accepts greyscale images,
            or ``(H, W)``.

    Returns:
        The pixels, uint8 of this shape, with channels in OpenCV's order.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is not an image, or has another shape.
    """
    in_colour = len(shape) == 3
    flag = cv2.IMREAD_COLOR if in_colour else cv2.IMREAD_UNCHANGED
    content = np.frombuffer(_read(place), np.uint8)
    image = cv2.imdecode(content, flag) if len(content) else None
    if image is None:
        raise ValueError(f'{place} is not an image, or is damaged.')
    if image.shape != shape or image.dtype != np.uint8:
        raise ValueError(
            f'{place} must be uint8 of shape {shape}, got {image.dtype} of shape '
            f'{image.shape}.'
        )
    return image


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Create a folder atomically, once all of its contents have been written.

    Args:
        path: The final path.

    Yields:
        An empty folder next to it, to write to.

    Raises:
        FileExistsError: If the path exists already.
    """
    if path.exists():
        raise FileExistsError(f'{path} exists already: move it, or choose another.')
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as partial:
        # Left behind by a killed process.
        remove(partial)
        partial.mkdir()
        yield partial


def _read(place: Place) -> bytes:
    if not place.is_file():
        raise FileNotFoundError(f'{place} is missing.')
    return place.read_bytes()
