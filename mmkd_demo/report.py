"""The picture at the end of the demo."""

from collections.abc import Sequence

import cv2
import numpy as np

CAPTION_HEIGHT = 16
GAP = 4


def captioned_grid(
    rows: Sequence[Sequence[np.ndarray]], captions: Sequence[str]
) -> np.ndarray:
    """Arrange images of the same size in rows, with a caption above each column.

    Args:
        rows: BGR images, uint8 of shape ``(H, W, 3)``, one per caption in each
            row.
        captions: A short text per column.

    Returns:
        The picture, BGR, uint8.
    """
    width = rows[0][0].shape[1]
    lines = [_line([_caption(text, width) for text in captions])]
    lines += [_line(row) for row in rows]
    gap = np.full((GAP, lines[0].shape[1], 3), 255, np.uint8)
    return np.vstack([part for line in lines for part in (line, gap)][:-1])


def _line(images: Sequence[np.ndarray]) -> np.ndarray:
    gap = np.full((images[0].shape[0], GAP, 3), 255, np.uint8)
    return np.hstack([part for image in images for part in (image, gap)][:-1])


def _caption(text: str, width: int) -> np.ndarray:
    strip = np.full((CAPTION_HEIGHT, width, 3), 255, np.uint8)
    font = cv2.FONT_HERSHEY_SIMPLEX
    (length, _), _ = cv2.getTextSize(text, font, 0.4, 1)
    left = max(0, (width - length) // 2)
    cv2.putText(strip, text, (left, 12), font, 0.4, (0, 0, 0), 1, cv2.LINE_AA)
    return strip
