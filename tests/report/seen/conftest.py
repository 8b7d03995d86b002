from pathlib import Path

import cv2
import numpy as np
import pytest
from tiny_models import tiny

__all__ = ['tiny']


@pytest.fixture(scope='session')
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four tiny images in the Cityscapes folder layout, of two classes."""
    root = tmp_path_factory.mktemp('streets')
    random = np.random.default_rng(0)
    images = root / 'leftImg8bit' / 'val' / 'town'
    labels = root / 'gtFine' / 'val' / 'town'
    images.mkdir(parents=True)
    labels.mkdir(parents=True)
    for number in range(4):
        image = random.integers(0, 255, (64, 96, 3), dtype=np.uint8)
        label = np.full((64, 96), 255, np.uint8)
        label[:20] = 10
        label[40:] = 0
        cv2.imwrite(str(images / f'{number}_leftImg8bit.png'), image)
        cv2.imwrite(str(labels / f'{number}_gtFine_labelTrainIds.png'), label)
    return root
