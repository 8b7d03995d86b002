import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from mmengine.logging import MessageHub, MMLogger
from mmengine.visualization import Visualizer

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


@pytest.fixture
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Trainings start without the seconds that a process takes."""
    ran: list[str] = []

    plain = subprocess.run

    def run(command: Any, **options: Any) -> Any:
        if command[0] != sys.executable:
            return plain(command, **options)
        monkeypatch.setattr(sys, 'argv', command[1:])
        ran.append(command[2])
        # They end with a process, and are named by the second that it begins in.
        for kind in (MessageHub, MMLogger, Visualizer, *Visualizer.__subclasses__()):
            kind._instance_dict.clear()
        runpy.run_path(command[1], run_name='__main__')
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(subprocess, 'run', run)
    return ran
