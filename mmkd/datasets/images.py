"""Images and labels in memory, checked, as MMPretrain's data sets list them."""

from typing import Any

import numpy as np


def data_list_of(
    images: np.ndarray, labels: np.ndarray, num_classes: int, source: str
) -> list[dict[str, Any]]:
    """Check images and labels and pair them up, as MMPretrain expects them.

    Args:
        images: Colour images ``(N, H, W, 3)``, uint8, RGB.
        labels: Class indices ``(N,)``.
        num_classes: Labels must be below it.
        source: Where they come from, for error messages.

    Returns:
        One dict of ``img`` and ``gt_label`` per image.

    Raises:
        ValueError: If type, shape, number or a label is wrong.
    """
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] != 3:
        raise ValueError(
            f'{source}: images must be uint8 of shape (N, H, W, 3), got '
            f'{images.dtype} of shape {images.shape}'
        )
    if labels.dtype.kind not in 'iu' or labels.shape != images.shape[:1]:
        raise ValueError(
            f'{source}: labels must be integers of shape {images.shape[:1]}, one '
            f'per image, got {labels.dtype} of shape {labels.shape}'
        )
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(
            f'{source}: labels must be 0 to {num_classes - 1}, got '
            f'{labels.min()} to {labels.max()}'
        )
    images = np.ascontiguousarray(images)
    return [
        {'img': image, 'gt_label': int(label)}
        for image, label in zip(images, labels, strict=True)
    ]
