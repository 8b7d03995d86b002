"""Public data sets: the original is checked, what is made of it is there or not."""

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np

from mmkd.resilience.files import remove, whole_or_nothing

Place = Path | zipfile.Path
"""Of a file or folder, on the disk or in an archive."""


def read_text(place: Place) -> str:
    """Read a text.

    Raises:
        FileNotFoundError: If it is not there.
    """
    return _read(place).decode()


def read_image(place: Place, shape: tuple[int, ...]) -> np.ndarray:
    """Read an image, in colour or of one channel.

    Args:
        place: Where it is.
        shape: What it must have: ``(H, W, 3)``, for which one without colours is taken
            as well, or ``(H, W)``.

    Returns:
        The pixels, uint8 of this shape, the channels in OpenCV's order.

    Raises:
        FileNotFoundError: If it is not there.
        ValueError: If it is no image, or one of another shape.
    """
    in_colour = len(shape) == 3
    flag = cv2.IMREAD_COLOR if in_colour else cv2.IMREAD_UNCHANGED
    content = np.frombuffer(_read(place), np.uint8)
    image = cv2.imdecode(content, flag) if len(content) else None
    if image is None:
        raise ValueError(f'{place} is no image, or a damaged one.')
    if image.shape != shape or image.dtype != np.uint8:
        raise ValueError(
            f'{place} must be uint8 of shape {shape}, got {image.dtype} of shape '
            f'{image.shape}.'
        )
    return image


@contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Let a folder appear when all that belongs in it has been written.

    Args:
        path: Where it is to stand.

    Yields:
        An empty folder beside it, to write to.

    Raises:
        FileExistsError: If there is something already.
    """
    if path.exists():
        raise FileExistsError(f'{path} is there already: move it, or name another.')
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_or_nothing(path) as partial:
        # Of one that was killed.
        remove(partial)
        partial.mkdir()
        yield partial


def _read(place: Place) -> bytes:
    if not place.is_file():
        raise FileNotFoundError(f'{place} is missing.')
    return place.read_bytes()
