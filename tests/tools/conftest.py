import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

TOOLS = Path(__file__).parents[2] / 'tools'


@pytest.fixture
def run_tool(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., None]:
    """Run a script of tools/ in this process, as its command line would."""

    def run(script: str, *arguments: object) -> None:
        monkeypatch.setattr(sys, 'argv', [script, *map(str, arguments)])
        runpy.run_path(str(TOOLS / script), run_name='__main__')

    monkeypatch.delenv('LOCAL_RANK', raising=False)
    monkeypatch.chdir(tmp_path)
    return run


@pytest.fixture(scope='session')
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight tiny images in the Cityscapes folder layout, of two classes."""
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
