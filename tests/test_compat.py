import subprocess
import sys
from collections.abc import Callable
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend
from mmengine.hub import get_config
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner, load_checkpoint
from mmengine.runner import checkpoint as checkpoint_io
from torch import Tensor, nn

from mmkd.checkpoint import CheckpointError, safe_load


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


CONFIGS = [
    'mmseg::deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py',
    'mmpretrain::resnet/resnet18_8xb32_in1k.py',
]


@pytest.mark.parametrize('name', CONFIGS)
def test_configs_of_the_stack_are_found(name: str, tmp_path: Path) -> None:
    child = tmp_path / 'child.py'
    child.write_text(f'_base_ = {name!r}')

    model = Config.fromfile(child).model

    assert model.pop('_scope_') == name.split('::')[0]
    assert model == get_config(name).model


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, check=False
    )


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
"""
    )

    assert process.returncode == 1
    assert 'ImportError: mmkd finds no MMEngine' in process.stderr
    assert 'mmkd[onedl]' in process.stderr
    assert 'mmkd[openmmlab]' in process.stderr


def test_import_is_light_and_needs_no_optional_binary() -> None:
    """As beside setuptools 82 and a torchvision built for another device."""
    process = run_python(
        f"""
import sys, torch

def fail(path):
    raise OSError(path)

sys.modules['pkg_resources'] = None
torch.ops.load_library = fail
import mmkd
assert not {{'mmcv', 'mmseg', 'mmpretrain', 'torchvision'}} & set(sys.modules)
import torchvision
from mmengine.hub import get_config
from mmengine.utils import get_installed_path, is_installed
for name in {CONFIGS}:
    get_config(name)
assert not is_installed('mmabsent')
"""
    )

    assert process.returncode == 0, process.stderr
