"""Training with whole-batch augmentation, run by the tools."""

import json
import multiprocessing
import pickle
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmkd.checkpoints.loading import safe_load
from mmkd.models import build_model

CONFIGS = Path(__file__).parents[2] / 'configs'
SCRIPT = Path(__file__).with_name('training_to_kill.py')
CONFIG = """
_base_ = {base!r}
data_preprocessor = dict(
    type='mmkd.CropFlipDataPreprocessor', padding=4, flip_prob=0.5)
train_dataloader = dict(
    batch_size=8,
    num_workers={workers},
    persistent_workers=False,
    dataset=dict(in_memory=True, pipeline=[dict(type='PackInputs')]))
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=3, val_interval=1)
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=2))
custom_hooks = [dict(type='mmkd.NoteHook')]
randomness = dict(seed=3)
"""
LENGTH = 15


@pytest.fixture(scope='module')
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty images in five batches, and a teacher."""
    root = tmp_path_factory.mktemp('data')
    folder, rng = root / 'cifar-100-python', np.random.default_rng(0)
    folder.mkdir()
    for split in ('train', 'test'):
        content = {
            'data': rng.integers(0, 256, (40, 3072), dtype=np.uint8),
            'fine_labels': rng.integers(0, 100, 40).tolist(),
        }
        (folder / split).write_bytes(pickle.dumps(content))
    teacher = build_model(str(CONFIGS / 'teachers' / 'resnet20_tin100.py'))
    torch.save(teacher.state_dict(), root / 'teacher.pth')
    return root


def arguments(data: Path, folder: Path, workers: int) -> list[str]:
    """The arguments of ``tools/train.py`` for a config written for it."""
    config = folder.parent / f'{workers}_workers' / 'kd.py'
    config.parent.mkdir(exist_ok=True)
    base = CONFIGS / 'kd' / 'resnet20_resnet8_tin100.py'
    config.write_text(CONFIG.format(base=str(base), workers=workers))
    files = ['--data-root', str(data), '--teacher', str(data / 'teacher.pth')]
    return [str(config), '--work-dir', str(folder), '--resume', *files]


def start(given: list[str], folder: Path) -> Any:
    def run() -> None:
        sys.stdout = sys.stderr = (folder.parent / 'output').open('a')
        runpy.run_path(str(SCRIPT))['main']([*given, '--no-teacher-check'])

    process = multiprocessing.get_context('fork').Process(target=run)
    process.start()
    return process


def finish(given: list[str], folder: Path) -> dict[str, Any]:
    process = start(given, folder)
    process.join(600)
    assert process.exitcode == 0, (folder.parent / 'output').read_text()
    return safe_load(folder / f'iter_{LENGTH}.pth')


def kill_after(iterations: int, given: list[str], folder: Path) -> None:
    process, notes = start(given, folder), folder / 'iterations'
    while not notes.exists() or str(iterations) not in notes.read_text().split():
        assert process.is_alive(), (folder.parent / 'output').read_text()
        time.sleep(0.001)
    process.kill()
    process.join()


def test_killed_and_tested(
    data: Path, tmp_path: Path, run_tool: Callable[..., None]
) -> None:
    """It ends as if uninterrupted, and its student needs no batch augmentation."""
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    expected = finish(arguments(data, whole, workers=0), whole)
    kill_after(7, arguments(data, killed, workers=0), killed)
    found = finish(arguments(data, killed, workers=2), killed)

    starts = (killed / 'iterations').read_text().split()
    assert starts.count('start') == 2
    for name, value in expected['state_dict'].items():
        assert torch.equal(found['state_dict'][name], value), name
    students = [safe_load(folder / 'student.pth') for folder in (whole, killed)]
    for name, value in students[0]['state_dict'].items():
        assert torch.equal(students[1]['state_dict'][name], value), name

    scores = []
    for name in ('kd.py', 'student.py'):
        out = tmp_path / f'test_{name}'
        files = killed / name, killed / 'student.pth'
        # The hook that notes iterations is not registered here.
        hooks = '--cfg-options', 'custom_hooks=[]'
        run_tool('test.py', *files, '--work-dir', out, *hooks)
        [log] = out.glob('*/*.json')
        scores.append(json.loads(log.read_text())['accuracy/top1'])
    assert scores[0] == scores[1]
    text = (killed / 'student.py').read_text()
    assert 'ClsDataPreprocessor' in text
    assert 'CropFlip' not in text
