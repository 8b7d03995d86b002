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

START, SCAN, END = b'\xff\xd8', b'\xff\xda', b'\xff\xd9'
"""Markers of a JPEG: its start, that of its pixels, and its end."""


def opened(source: Path, folder: str) -> Place:
    """The folder of an original, or the same folder in its archive.

    Args:
        source: The folder, or a zip file.
        folder: The folder in the zip file.

    Raises:
        ValueError: If the archive is damaged.
    """
    if not source.is_file():
        return source
    try:
        return zipfile.Path(source, f'{folder}/')
    except Exception as error:
        # A damaged archive may raise anything.
        raise ValueError(
            f'{source} is not an archive, or is damaged or incomplete: {error}.'
        ) from error


def read_text(place: Place) -> str:
    """Read a text file.

    Raises:
        FileNotFoundError: If it does not exist.
        ValueError: If it is not UTF-8, or is damaged.
    """
    try:
        return _read(place).decode()
    except UnicodeDecodeError as error:
        raise ValueError(f'{place} is not a text in UTF-8: {error}.') from error


def digest_of(found: str, known: str | None) -> str:
    """The beginning of a digest in words, compared with that of the original.

    Args:
        found: The digest.
        known: The beginning of the original's; None if it is unknown.
    """
    found = found[:16]
    if known in (None, found):
        return f'sha256 {found}' + (', as it should be' if known else '')
    return (
        f'sha256 {found}, not {known} as it should be: damaged, another version of the '
        'original, or another JPEG decoder'
    )


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
        ValueError: If it is not an image, is damaged, or has another shape.
    """
    in_colour = len(shape) == 3
    flag = cv2.IMREAD_COLOR if in_colour else cv2.IMREAD_UNCHANGED
    content = _read(place)
    image = cv2.imdecode(np.frombuffer(content, np.uint8), flag) if content else None
    # Decoders read zeros in place of the last pixels as pixels.
    endless = content.startswith(START) and content.rfind(END) < content.rfind(SCAN)
    if image is None or (endless and not _ends(content)):
        raise ValueError(f'{place} is not an image, or is damaged.')
    if image.shape != shape or image.dtype != np.uint8:
        raise ValueError(
            f'{place} must be uint8 of shape {shape}, got {image.dtype} of shape '
            f'{image.shape}.'
        )
    return image


def _ends(jpeg: bytes) -> bool:
    """Whether the end follows the pixels, whatever comes behind it."""
    place = len(START)
    while jpeg[place : place + 2] not in (SCAN, b''):
        # A segment, such as one with a thumbnail, or a byte that fills up.
        length = int.from_bytes(jpeg[place + 2 : place + 4], 'big')
        place += 1 if jpeg[place + 1 : place + 2] == b'\xff' else 2 + length
    return END in jpeg[place:]


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
    try:
        return place.read_bytes()
    except Exception as error:
        # A damaged archive may raise anything.
        raise ValueError(f'{place} cannot be read: {error}.') from error
