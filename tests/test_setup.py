import re
from collections.abc import Callable
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from fresh_python import run_python
from mmengine.config import Config
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.fileio import LocalBackend
from mmengine.hub import get_config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner import checkpoint as checkpoint_io
from torch import Tensor, nn

from mmkd.checkpoints.loading import CheckpointError, safe_load
from mmkd.setup import setup

ROOT = Path(__file__).parents[1]


class Line(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(2, 1)

    def forward(self, inputs: Tensor, mode: str = 'tensor') -> dict[str, Tensor]:
        return {'loss': self.layer(inputs).square().mean()}


def line_runner(folder: Path, **kwargs: Any) -> Runner:
    torch.manual_seed(0)
    return Runner(
        Line(),
        str(folder),
        train_dataloader=dict(
            dataset=list(torch.randn(4, 2)),
            batch_size=2,
            sampler=dict(type='DefaultSampler', shuffle=False),
            collate_fn=lambda rows: dict(inputs=torch.stack(rows)),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9)),
        param_scheduler=dict(type='OneCycleLR', eta_max=0.1, total_steps=9),
        custom_hooks=[dict(type='EMAHook')],
        default_hooks=dict(logger=dict(type='LoggerHook', interval=1)),
        experiment_name=f'{folder.name}_{len(kwargs)}',
        log_level='ERROR',
        **kwargs,
    )


@pytest.fixture(scope='module')
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runner = line_runner(tmp_path_factory.mktemp('trained'))
    runner.train()
    return Path(runner.message_hub.get_info('last_ckpt'))


def test_training_checkpoint_is_read(trained: Path) -> None:
    checkpoint = safe_load(trained)

    losses = checkpoint['message_hub']['log_scalars']['train/loss']
    assert isinstance(losses, HistoryBuffer)
    assert len(losses.data[0]) == 4
    assert losses.statistics('mean') == np.mean(losses.data[0])
    assert checkpoint['param_schedulers'][0]['anneal_func'](1.0, 0.0, 1.0) == 0.0
    assert set(checkpoint['state_dict']) == {'layer.weight', 'layer.bias'}


def test_training_resumes_where_it_stopped(trained: Path, tmp_path: Path) -> None:
    first = trained.with_name('epoch_1.pth')
    runner = line_runner(tmp_path, load_from=str(first), resume=True)
    runner.train()

    resumed = safe_load(tmp_path / 'epoch_2.pth')
    expected = safe_load(trained)
    for part in ('state_dict', 'optimizer', 'ema_state_dict'):
        torch.testing.assert_close(resumed[part], expected[part], rtol=0, atol=0)
    losses = [
        checkpoint['message_hub']['log_scalars']['train/loss'].data[0]
        for checkpoint in (resumed, expected)
    ]
    np.testing.assert_array_equal(*losses)


def resume(path: Path, _: pytest.MonkeyPatch) -> None:
    line_runner(path.parent, load_from=str(path), resume=True).train()


def pretrained(path: Path, _: pytest.MonkeyPatch) -> None:
    model = Line()
    model.init_cfg = dict(type='Pretrained', checkpoint=str(path))
    model.init_weights()


def downloaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('TORCH_HOME', str(path.parent / 'torch'))
    handler = partial(SimpleHTTPRequestHandler, directory=path.parent)
    with HTTPServer(('127.0.0.1', 0), handler) as server:
        Thread(target=server.handle_request, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}/{path.name}'
        load_checkpoint(Line(), url)


def zoo(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MMENGINE_HOME', str(path.parent))
    (path.parent / 'open_mmlab.json').write_text(f'{{"line": "{path.name}"}}')
    load_checkpoint(Line(), 'open-mmlab://line')


def object_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        checkpoint_io, 'get_file_backend', lambda *_, **__: LocalBackend()
    )
    monkeypatch.setattr(LocalBackend, 'get', lambda *_: path.read_bytes())
    load_checkpoint(Line(), 's3://bucket/line.pth')


READERS: dict[str, Callable[[Path, pytest.MonkeyPatch], object]] = {
    'file': lambda path, _: load_checkpoint(Line(), str(path)),
    'http': downloaded,
    'open-mmlab': zoo,
    's3': object_store,
    'init_cfg': pretrained,
    'resume': resume,
}


@pytest.mark.parametrize('reader', READERS.values(), ids=READERS)
def test_every_way_reads_a_training_checkpoint(
    reader: Callable[..., object],
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / 'line.pth'
    path.write_bytes(trained.read_bytes())

    reader(path, monkeypatch)


@pytest.mark.parametrize('reader', READERS.values(), ids=READERS)
def test_every_way_refuses_a_hostile_checkpoint(
    reader: Callable[..., object], hostile: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckpointError, match='is refused'):
        reader(hostile.path, monkeypatch)

    assert not hostile.marker.exists()


def stack_users() -> list[str]:
    """The packages of mmkd with a module that imports what setup() must precede."""
    users = [
        path.parent.relative_to(ROOT)
        for path in sorted((ROOT / 'mmkd').rglob('*.py'))
        if re.search(
            r'^(from|import) (mm(seg|cv|pretrain)|torchvision)\b',
            path.read_text(),
            re.M,
        )
    ]
    return ['.'.join(folder.parts) for folder in dict.fromkeys(users)]


@pytest.mark.parametrize('package', stack_users())
def test_runs_before_anything_imports_the_stack(package: str) -> None:
    process = run_python(
        f"""
import sys

class Watch:
    def find_spec(name, *_):
        if name in ('mmseg', 'mmcv', 'mmpretrain'):
            from mmkd.setup import setup
            assert setup.cache_info().currsize == 1, name

sys.meta_path.insert(0, Watch)
import {package}
assert 'mmpretrain' in sys.modules
"""
    )
    assert process.returncode == 0, process.stderr


def test_runs_when_a_runner_reads_a_distillation_config() -> None:
    process = run_python(
        f"""
import sys
from mmengine.config import Config
Config.fromfile({str(ROOT / 'configs/mhkd/vgg13_vgg8_svhn.py')!r})
assert sys.modules['mmkd.setup'].setup.cache_info().currsize == 1
"""
    )
    assert process.returncode == 0, process.stderr


def test_a_second_call_changes_nothing() -> None:
    before = checkpoint_io.torch, Config._get_cfg_path, dict(MODULE2PACKAGE)
    setup()
    assert (checkpoint_io.torch, Config._get_cfg_path, MODULE2PACKAGE) == before


def test_import_without_a_stack_names_the_extras() -> None:
    process = run_python(
        """
import sys

class Hidden:
    def find_spec(name, *_):
        if name == 'mmengine':
            raise ModuleNotFoundError(name=name)

sys.meta_path.insert(0, Hidden)
import mmkd
import mmkd.models.losses
"""
    )
    assert process.returncode == 1
    assert 'ImportError: mmkd cannot find MMEngine' in process.stderr
    assert 'mmkd[onedl]' in process.stderr
    assert 'mmkd[openmmlab]' in process.stderr


OWN = 'dhkd/deeplabv3_r18_cityscapes.py'


@pytest.mark.parametrize('name', [OWN, '_base_/distill.py'])
def test_own_configs_are_found_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path('child.py').write_text(f"_base_ = 'mmkd::{name}'")
    expected = Config.fromfile(ROOT / 'configs' / name).to_dict()

    assert Config.fromfile('child.py').to_dict() == expected
    assert get_config(f'mmkd::{name}').to_dict() == expected


def test_every_metafile_is_in_the_index() -> None:
    index = yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']
    assert index == sorted(
        str(path.relative_to(ROOT)) for path in ROOT.glob('configs/*/metafile.yml')
    )
