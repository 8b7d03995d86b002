"""scikit-learn's handwritten digits as image files that MMPretrain reads."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from mmkd_demo.folders import save_image, write_once

TRAIN = 898
"""How many of the 1,797 images are trained on: the first half."""


def write_digits(folder: Path) -> bool:
    """Write the digits as ``{train,val}/CLASS/NUMBER.png``, grey, 8 by 8 pixels.

    The split keeps the order of the data set, as scikit-learn's own
    classification example does: shuffled, images of one writer's hand would
    stand on both sides.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, the part that scikit-learn ships.

    Args:
        folder: The data root.

    Returns:
        Whether it was written; False if it was complete already.
    """

    def write(folder: Path) -> None:
        digits = load_digits()
        # Each pixel counts the black ones among 4 by 4: 0 to 16.
        images = (digits.images * (255 / 16)).round().astype(np.uint8)
        for number, label in enumerate(digits.target):
            split = 'train' if number < TRAIN else 'val'
            path = folder / split / str(label) / f'{number:04d}.png'
            save_image(path, images[number])

    return write_once(folder, {'digits': TRAIN}, write)
