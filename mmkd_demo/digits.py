"""scikit-learn's handwritten digits as image files that MMPretrain reads."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from mmkd_demo.folders import save_image, write_once

TRAIN = 898
"""Number of training images: the first half of 1,797."""


def write_digits(folder: Path) -> bool:
    """Write the digits as ``{train,val}/CLASS/NUMBER.png``, grey, 8 by 8 pixels.

    The split keeps the order of the data set, like scikit-learn's own
    classification example: after shuffling, both splits would contain digits
    of the same writers.

    Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten
    Digits", UCI Machine Learning Repository, the part that scikit-learn ships.

    Args:
        folder: The data root.

    Returns:
        Whether they were written; False if they were complete already.
    """

    def write(folder: Path) -> None:
        digits = load_digits()
        # Each pixel is the number of black pixels in a 4 by 4 block: 0 to 16.
        images = (digits.images * (255 / 16)).round().astype(np.uint8)
        for number, label in enumerate(digits.target):
            split = 'train' if number < TRAIN else 'val'
            path = folder / split / str(label) / f'{number:04d}.png'
            save_image(path, images[number])

    return write_once(folder, {'digits': TRAIN}, write)
