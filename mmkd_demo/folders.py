"""Image folders that are written once."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

MARKER = 'complete.json'


def write_once(
    folder: Path, contents: dict[str, Any], write: Callable[[Path], None]
) -> bool:
    """Fill a folder, unless it has the same contents already.

    A folder with other contents, or whose writing was interrupted, is
    rewritten. One that was not written by this function is left alone.

    Args:
        folder: The folder.
        contents: A description of the contents that JSON can represent.
        write: Fills the folder, which exists and is empty.

    Returns:
        Whether the folder was written.

    Raises:
        ValueError: If the folder has files from elsewhere.
    """
    marker = folder / MARKER
    if marker.exists() and json.loads(marker.read_text()).get('done') == contents:
        return False
    if folder.is_dir() and any(folder.iterdir()):
        if not marker.exists():
            raise ValueError(
                f'the demo writes its images to {str(folder)!r}, which has other '
                'files: move them, or run the demo elsewhere.'
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({'done': None}))
    write(folder)
    marker.write_text(json.dumps({'done': contents}))
    return True


def save_image(path: Path, image: np.ndarray) -> None:
    """Write an image, and create its parent folders.

    Raises:
        OSError: If it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not cv2.imwrite(str(path), image):
        raise OSError(f'cannot write {str(path)!r}.')


def load_image(path: str) -> np.ndarray:
    """Read an image as BGR, uint8 of shape ``(H, W, 3)``.

    Raises:
        OSError: If it cannot be read.
    """
    image = cv2.imread(path)
    if image is None:
        raise OSError(f'cannot read {path!r}.')
    return image
