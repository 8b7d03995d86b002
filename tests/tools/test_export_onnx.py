import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmseg.apis import inference_model, init_model

from mmkd.deploy import export, needs
from mmkd.models import build_model

ROOT = Path(__file__).parents[2]
STREETS = ROOT / 'configs' / 'students' / 'deeplabv3-w16_camvid.py'
Tool = Callable[..., None]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = build_model(str(STREETS)).state_dict()
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'student.pth')
    return tmp_path / 'student.pth'


def test_the_page_tells_how_to_use_the_file(
    run_tool: Tool,
    streets: Path,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run_tool(
        'export_onnx.py',
        *('deeplabv3-w48_deeplabv3-w16_camvid', checkpoint, 'student.onnx'),
        *('--data-root', streets),
    )
    told = capsys.readouterr().out
    assert 'checked on 3 of 4 validation images' in told
    assert 'student.onnx: 3.' in told
    [image] = streets.glob('leftImg8bit/val/town/0_*.png')
    pixels = cv2.imread(str(image))
    monkeypatch.setattr(cv2, 'imread', lambda name: pixels)
    page = (ROOT / 'docs' / 'deploy.md').read_text()
    [program] = re.findall(r'```python\n(.*?)```', page, re.S)
    scope: dict[str, Any] = {}
    exec(program, scope)
    model = init_model(Config.fromfile(STREETS), str(checkpoint), 'cpu')
    expected = inference_model(model, pixels).pred_sem_seg.data.numpy()
    assert np.mean(scope['labels'] == expected) > 0.999
    assert 'traffic sign' in scope['facts']['classes']


def test_what_is_missing_is_said(
    run_tool: Tool,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ('export_onnx.py', STREETS, checkpoint, 'x.onnx')
    with pytest.raises(SystemExit, match='2'):
        run_tool(*command, '--images', 1)
    assert '--images must be at least 2' in capsys.readouterr().err


    def refuse(*given: object) -> None:
        raise ValueError(f'opset {given[-1]} is not known')

    with monkeypatch.context() as patched:
        patched.setattr(export, 'trace', refuse)
        with pytest.raises(SystemExit, match=r'export_onnx\.py: opset 5 is not known'):
            run_tool(*command, '--opset', 5)
    told = capsys.readouterr().out
    assert "as there are no validation images: the folder 'data/camvid/' of" in told
    assert not Path('x.onnx').exists()
    monkeypatch.setitem(sys.modules, needs.NEEDED[1], None)
    with pytest.raises(SystemExit, match=r'onnxruntime .* pip install -r require'):
        run_tool(*command)


@pytest.mark.parametrize(
    ('options', 'size'), [((), (32, 48)), (('--size', '64', '40'), (64, 40))]
)
def test_a_fixed_graph_of_a_sliding_window_has_its_size(
    run_tool: Tool,
    checkpoint: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    size: tuple[int, int],
) -> None:
    def refuse(network: object, given: tuple[int, int], *_: object) -> None:
        raise ValueError(f'size {given}')

    monkeypatch.setattr(export, 'trace', refuse)
    values = dict(mode='slide', crop_size='32,48', stride='16,16')
    slide = [f'model.test_cfg.{key}={value}' for key, value in values.items()]
    command = ('export_onnx.py', STREETS, checkpoint, 'x.onnx', '--fixed', *options)
    with pytest.raises(SystemExit, match=re.escape(f'size {size}')):
        run_tool(*command, '--cfg-options', *slide)
    told = 'images are 32 x 48, the sliding window' in capsys.readouterr().out
    assert told == (not options)


def test_no_tool_hides_a_module_of_python() -> None:
    # Python looks for modules next to the main script first.
    names = {path.stem for path in (ROOT / 'tools').glob('*.py')}
    assert not names & sys.stdlib_module_names
