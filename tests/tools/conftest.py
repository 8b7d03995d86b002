from pathlib import Path

import cv2
import numpy as np
import pytest
from in_process import in_this_process, run_tool

__all__ = ['in_this_process', 'run_tool']


@pytest.fixture(scope='session')
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight tiny images in the Cityscapes folder layout, with two classes."""
    root = tmp_path_factory.mktemp('streets')
    random = np.random.default_rng(0)
    for split in ('train', 'val'):
        images = root / 'leftImg8bit' / split / 'town'
        labels = root / 'gtFine' / split / 'town'
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for number in range(4):
            image = random.integers(0, 255, (64, 96, 3), dtype=np.uint8)
            label = np.zeros((64, 96), np.uint8)
            label[:20] = 10
            cv2.imwrite(str(images / f'{number}_leftImg8bit.png'), image)
            name = f'{number}_gtFine_labelTrainIds.png'
            cv2.imwrite(str(labels / name), label)
    return root
