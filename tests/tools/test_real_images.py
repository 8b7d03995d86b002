"""Trainings on the real data sets next to the repository."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from deployed import PAIRS, looks_trained, whole_student
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor

from mmkd.deploy.export import export
from mmkd.deploy.graph import Graph
from mmkd.deploy.network import Network
from mmkd.deploy.parity import TOLERANCE, difference
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


@pytest.fixture(scope='module')
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Tensor]]:
    """Real images by what they suit, normalised, each ``(1, 3, H, W)``."""
    files = sorted((REAL / 'camvid' / 'leftImg8bit' / 'val').rglob('*.png'))[::13]
    streets = [cv2.imread(str(file)) for file in files]
    small = np.load(REAL / 'tin100' / 'val.npz')
    ends = small['offsets']
    shots = [
        cv2.imdecode(small['jpeg'][ends[number] : ends[number + 1]], cv2.IMREAD_COLOR)
        for number in range(0, len(ends) - 1, 157)
    ]
    tiles = [cv2.resize(shot, (32, 32), interpolation=cv2.INTER_AREA) for shot in shots]
    large = [cv2.resize(shot, (224, 224)) for shot in shots[:8]]

    def ready(images: list[np.ndarray]) -> list[Tensor]:
        tensors = (torch.from_numpy(each).permute(2, 0, 1) for each in images)
        return [(each[None].float() - 116) / 58 for each in tensors]

    return {
        name: ready(images)
        for name, images in (('streets', streets), ('tiles', tiles), ('large', large))
    }


@pytest.mark.check
@pytest.mark.parametrize('pair', PAIRS)
def test_every_student_computes_the_same_in_onnxruntime(
    pair: str, pictures: dict[str, list[Tensor]], tmp_path: Path
) -> None:
    network = Network(looks_trained(whole_student(pair)))
    is_map = network.view.task.spatial_dims > 0
    kind = 'streets' if is_map else 'large' if 'imagenet' in pair else 'tiles'
    images = pictures[kind]
    path = tmp_path / 'student.onnx'
    export(network, Config(dict(model={})), images[:2], path, tell=lambda found: None)
    graph = Graph(path)
    found = [difference(graph(each), network(each), each.shape) for each in images]
    assert len(found) >= 8
    assert max(each.relative for each in found) < TOLERANCE
    # What the page on deployment says of them.
    assert max(each.relative for each in found) < 2e-5
