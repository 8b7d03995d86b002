"""Trainings on the real data sets next to the repository."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmengine.runner import Runner

from mmkd.models import build_model

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / 'shared' / 'data'
ONE_PROCESS = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val')
    for key in ('num_workers=0', 'persistent_workers=False')
]

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not REAL.is_dir(), reason='needs the real images in ../shared/data'
    ),
]


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[float]]:
    """Returns the values that the last training logged under a name."""
    runners: list[Runner] = []
    train = Runner.train

    def remember(runner: Runner) -> torch.nn.Module:
        runners.append(runner)
        return train(runner)

    monkeypatch.setattr(Runner, 'train', remember)

    def values(name: str) -> list[float]:
        return list(runners[-1].message_hub.get_scalar(name).data[0])

    return values


def untrained(config: Path, folder: Path) -> Path:
    path = folder / 'teacher.pth'
    torch.save(build_model(str(config)).state_dict(), path)
    return path


def test_camvid(
    run_tool: Callable[..., None],
    score: Callable[[str], list[float]],
    tmp_path: Path,
) -> None:
    teacher = untrained(ROOT / 'configs/teachers/deeplabv3-w48_camvid.py', tmp_path)
    run_tool(
        'train.py',
        ROOT / 'configs/dhkd/deeplabv3-w48_deeplabv3-w16_camvid.py',
        *('--data-root', REAL / 'camvid', '--teacher', teacher),
        *('--work-dir', tmp_path, '--cfg-options', *ONE_PROCESS),
        *('train_cfg.max_iters=48', 'train_cfg.val_interval=48'),
        *('train_dataloader.batch_size=4', 'randomness.seed=0'),
        # An untrained teacher would not help.
        'model.methods.dual_head.weight=0',
    )
    task = score('train/decode.loss_ce')
    assert sum(task[-4:]) < 0.9 * sum(task[:4])
    # The score of a map with one class only: road, the largest, is 29 %.
    assert score('val/aAcc')[-1] > 35


def test_tin100(
    run_tool: Callable[..., None],
    score: Callable[[str], list[float]],
    tmp_path: Path,
) -> None:
    unpack = [REAL / 'unpack_tin100.py', '--out', tmp_path / 'data']
    options = ['--format', 'cifar100', '--per-class', '20']
    subprocess.run([sys.executable, *unpack, *options], check=True)
    teacher = untrained(ROOT / 'configs/teachers/resnet20_tin100.py', tmp_path)
    run_tool(
        'train.py',
        ROOT / 'configs/dhkd/resnet20_resnet8_tin100.py',
        *('--data-root', tmp_path / 'data', '--teacher', teacher),
        *('--work-dir', tmp_path, '--cfg-options', *ONE_PROCESS),
        *('train_cfg.max_epochs=2', 'train_cfg.val_interval=2'),
        *('model.methods.dual_head.weight=0', 'randomness.seed=0'),
    )
    assert len(score('train/loss')) == 2 * (2000 // 64 + 1)
    # One in a hundred is chance level.
    assert score('val/accuracy/top1')[-1] > 2
