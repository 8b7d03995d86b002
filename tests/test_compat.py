import runpy
from logging import DEBUG
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from fresh_python import run_python
from mmengine import logging
from mmengine.config import Config, config
from mmengine.config import utils as config_utils
from mmengine.hub import get_config
from mmengine.utils import get_installed_path
from yapf.yapflib import yapf_api
from yapf.yapflib.errors import YapfError

from mmkd import compat
from mmkd.setup import setup

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


def test_no_optional_binary_is_needed() -> None:
    """As with setuptools 82 and a torchvision built for another device."""
    process = run_python(
        f"""
import sys, torch

def fail(path):
    raise OSError(path)

sys.modules['pkg_resources'] = None
torch.ops.load_library = fail
from mmkd.setup import setup
setup()
assert not {{'mmcv', 'mmseg', 'mmpretrain', 'torchvision'}} & set(sys.modules)
import torchvision
from mmengine.hub import get_config, hub
from mmengine.utils import get_installed_path, is_installed
for name in {[*CONFIGS, 'mmkd::dhkd/deeplabv3_r18_cityscapes.py']}:
    get_config(name)
assert not is_installed('mmabsent')
"""
    )

    assert process.returncode == 0, process.stderr


def test_operators_that_another_has_defined_are_left() -> None:
    process = run_python(
        """
import torch

def fail(path):
    raise OSError(path)

torch.ops.load_library = fail
boxes = '(Tensor dets, Tensor scores, float iou_threshold) -> Tensor'
torch.library.define('torchvision::nms', boxes)
torch.library.define('torchvision::qnms', boxes)
from mmkd.setup import setup
setup()
import torchvision
"""
    )

    assert process.returncode == 0, process.stderr


def format_by(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MMEngine format by another function, wherever its version imports yapf's."""
    for module in (yapf_api, config):
        monkeypatch.setattr(module, 'FormatCode', function, raising=False)


@pytest.mark.parametrize(
    ('raised', 'seen'),
    [
        (KeyboardInterrupt(), KeyboardInterrupt),
        (RuntimeError('DataLoader worker 3 is killed'), RuntimeError),
        (YapfError('no Python'), SyntaxError),
    ],
)
def test_what_ends_a_training_ends_the_formatting_of_its_config(
    raised: BaseException, seen: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    format_by(mock.Mock(side_effect=raised), monkeypatch)
    with pytest.raises(seen) as error:
        _ = Config(dict(model=dict(type='Net'))).pretty_text
    assert ('type' in str(error.value)) is (seen is SyntaxError)


def test_a_config_is_formatted_once_until_it_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs: list[str] = []
    format_code = yapf_api.FormatCode

    def counted(text: str, **settings: Any) -> Any:
        runs.append(text)
        return format_code(text, **settings)

    format_by(counted, monkeypatch)
    cfg = Config(dict(model=dict(width=4), once=True))
    first = cfg.pretty_text
    assert Config(dict(model=dict(width=4), once=True)).pretty_text == first
    assert len(runs) == 1
    cfg.model.width = 8
    assert 'width=8' in cfg.pretty_text
    assert len(runs) == 2


@pytest.mark.parametrize(
    ('package', 'config'),
    [
        ('mmseg', 'deeplabv3/deeplabv3_r18-d8_4xb2-80k_cityscapes-512x1024.py'),
        ('mmpretrain', 'resnet/resnet18_8xb32_in1k.py'),
    ],
)
def test_metafiles_are_looked_up_once(
    package: str, config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = runpy.run_path(str(config_utils.__file__))['_get_cfg_metainfo']
    folder = get_installed_path(package)
    found = config_utils._get_cfg_metainfo(folder, config)
    assert found == plain(folder, config)
    monkeypatch.setattr(compat, 'load', None)
    assert config_utils._get_cfg_metainfo(folder, config) == found


@pytest.mark.parametrize('config', ['_base_/default_runtime', 'fcn/fcn_r18.py'])
def test_what_no_metafile_names_is_looked_for_elsewhere(config: str) -> None:
    folder = get_installed_path('mmseg')
    with pytest.raises(ValueError, match=config):
        config_utils._get_cfg_metainfo(folder, config)


def test_notes_for_debugging_are_unprinted(capsys: pytest.CaptureFixture[str]) -> None:
    setup()

    logging.print_log('of an optional package', level=DEBUG)
    assert capsys.readouterr().out == ''
    logging.print_log('of a scope')
    assert capsys.readouterr().out == 'of a scope\n'
