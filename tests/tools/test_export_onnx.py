import re
import shutil
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
from tiny_models import Tiny, tiny

from mmkd.deploy import export, graph, needs
from mmkd.deploy.images import noise
from mmkd.deploy.network import Network
from mmkd.models import build_model

__all__ = ['tiny']

ROOT = Path(__file__).parents[2]
STREETS = ROOT / 'configs' / 'students' / 'deeplabv3-w16_camvid.py'
Tool = Callable[..., None]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    state = build_model(str(STREETS)).state_dict()
    torch.save(dict(meta={}, state_dict=state), tmp_path / 'student.pth')
    return tmp_path / 'student.pth'


def run_program_of_the_page() -> dict[str, Any]:
    page = (ROOT / 'docs' / 'deploy.md').read_text()
    [program] = re.findall(r'```python\n(.*?)```', page, re.S)
    scope: dict[str, Any] = {}
    exec(program, scope)
    return scope


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
    scope = run_program_of_the_page()
    model = init_model(Config.fromfile(STREETS), str(checkpoint), 'cpu')
    expected = inference_model(model, pixels).pred_sem_seg.data.numpy()
    assert 'null' not in told
    assert np.mean(scope['labels'] == expected) > 0.999
    assert 'traffic sign' in scope['facts']['classes']


def test_the_program_of_the_page_reads_grey_images(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = tiny.classifier()
    settings['backbone']['in_channels'] = 1
    settings['data_preprocessor'].update(mean=[120.0], std=[60.0], to_rgb=False)
    network = Network(build_model(settings), ('cat', 'dog', 'eel', 'fox'))
    images = noise(2, (16, 24), network)
    export.export(network, Config({}), images, Path('student.onnx'))
    pixels = np.arange(16 * 24, dtype=np.uint8).reshape(16, 24)
    cv2.imwrite('street.png', pixels)
    found = run_program_of_the_page()
    expected = network((torch.tensor(pixels)[None, None] - 120.0) / 60.0)
    np.testing.assert_allclose(found['logits'], expected, atol=1e-5)


def test_a_pipeline_that_normalises_is_told(
    run_tool: Tool, streets: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = Config.fromfile(STREETS)
    step = dict(type='mmcv.Normalize', mean=[0.0] * 3, std=[255.0] * 3, to_rgb=True)
    cfg.val_dataloader.dataset.pipeline.insert(1, step)
    cfg.model.data_preprocessor.update(mean=None, std=None, bgr_to_rgb=False)
    cfg.model.data_preprocessor.test_cfg = dict(size_divisor=8)
    cfg.dump('own.py')
    run_tool('export_onnx.py', 'own.py', checkpoint, 'x.onnx', '--data-root', streets)
    told = capsys.readouterr().out
    assert 'mean, std and channel_order are null: the validation pipeline' in told
    assert 'any batch, height and width that are multiples of 8\n' in told
    facts = graph.Graph(Path('x.onnx')).facts
    assert facts['mean'] == facts['std'] == facts['channel_order'] == 'null'


@pytest.mark.parametrize('broken', ['leftImg8bit', 'gtFine'])
def test_an_image_that_cannot_be_read_is_named(
    run_tool: Tool,
    streets: Path,
    checkpoint: Path,
    capsys: pytest.CaptureFixture[str],
    broken: str,
) -> None:
    shutil.copytree(streets, 'data')
    [path, *_] = sorted(Path('data', broken, 'val', 'town').iterdir())
    path.write_bytes(b'damaged')
    command = (STREETS, checkpoint)
    run_tool('export_onnx.py', *command, 'x.onnx', '--data-root', 'data')
    told = capsys.readouterr().out
    reason = 'checked on noise, as validation images cannot be read: sample 0'
    assert f"{reason}, '{path}', cannot be read (" in told
    with pytest.raises(SystemExit, match=r'--fixed needs --size, as validation images'):
        run_tool('export_onnx.py', *command, 'y.onnx', '--fixed', '--data-root', 'data')
    assert not Path('y.onnx').exists()
    with pytest.raises(SystemExit, match=rf"'{path}', cannot be read \("):
        run_tool('profile_student.py', *command, '--data-root', 'data')


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
