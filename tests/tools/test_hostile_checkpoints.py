"""A checkpoint that would run code, given to every tool that reads one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmkd.checkpoint import CheckpointError

CONFIGS = Path(__file__).parents[2] / 'configs'
STUDENT = CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'
PAIR = CONFIGS / 'dhkd' / 'deeplabv3-w48_deeplabv3-w16_camvid.py'
CONVERTER = 'model_converters/crd_to_mmkd.py'
PRETRAINED = 'model.backbone.init_cfg.type=Pretrained'

WAYS: dict[str, Callable[[Path], tuple[object, ...]]] = {
    'load_from': lambda path: ('train.py', STUDENT, f'load_from={path}'),
    'backbone': lambda path: (
        *('train.py', STUDENT, PRETRAINED),
        f'model.backbone.init_cfg.checkpoint={path}',
    ),
    'teacher': lambda path: ('train.py', PAIR, f'model.teacher.checkpoint={path}'),
    'resume': lambda path: ('train.py', STUDENT, 'resume=True', f'load_from={path}'),
    'last_checkpoint': lambda path: ('train.py', STUDENT, 'resume=True'),
    'test': lambda path: ('test.py', STUDENT, path),
}


# The one that needs most to be seen through; the others are tried on the reader.
@pytest.mark.parametrize('hostile', ['globals of a function'], indirect=True)
@pytest.mark.parametrize('way', WAYS)
def test_it_is_refused(
    way: str,
    hostile: Any,
    streets: Path,
    tmp_path: Path,
    run_tool: Callable[..., None],
) -> None:
    work_dir = tmp_path / 'work_dir'
    work_dir.mkdir()
    if way == 'last_checkpoint':
        shutil.copy(hostile.path, work_dir / 'iter_2.pth')
        (work_dir / way).write_text(str(work_dir / 'iter_2.pth'))
    script, config, *more = WAYS[way](hostile.path)
    options = [option for option in more if '=' in str(option)]
    files = [file for file in more if '=' not in str(file)]
    workers = [
        f'{loader}_dataloader.{setting}'
        for loader in ('train', 'val', 'test')
        for setting in ('num_workers=0', 'persistent_workers=False')
    ]
    with pytest.raises(CheckpointError, match='is refused'):
        run_tool(
            *(script, config, *files, '--data-root', streets),
            *('--work-dir', work_dir, '--cfg-options', *workers, *options),
        )
    assert not hostile.marker.exists()


@pytest.mark.parametrize('hostile', ['globals of a function'], indirect=True)
def test_conversion_refuses_it(
    hostile: Any, tmp_path: Path, run_tool: Callable[..., None]
) -> None:
    with pytest.raises(SystemExit, match='is refused'):
        run_tool(CONVERTER, hostile.path, tmp_path / 'out.pth', '--arch', 'resnet20')
    assert not hostile.marker.exists()
