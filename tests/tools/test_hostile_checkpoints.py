"""Checkpoints that would run code, given to every tool that reads one."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mmkd.checkpoints.loading import CheckpointError

CONFIGS = Path(__file__).parents[2] / 'configs'
STUDENT = CONFIGS / 'students' / 'deeplabv3-w16_camvid.py'
PAIR = CONFIGS / 'dhkd' / 'deeplabv3-w48_deeplabv3-w16_camvid.py'
CONVERTER = 'model_converters/crd_to_mmkd.py'
PRETRAINED = 'model.backbone.init_cfg.type=Pretrained'

WORKERS = [
    f'{loader}_dataloader.{setting}'
    for loader in ('train', 'val', 'test')
    for setting in ('num_workers=0', 'persistent_workers=False')
]
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


# The hardest one to detect; the others are tested on the reader only.
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
    with pytest.raises(CheckpointError, match='is refused'):
        run_tool(
            *(script, config, *files, '--data-root', streets),
            *('--work-dir', work_dir, '--cfg-options', *WORKERS, *options),
        )
    assert not hostile.marker.exists()


@pytest.mark.parametrize('hostile', ['globals of a function'], indirect=True)
def test_conversion_refuses_it(
    hostile: Any, tmp_path: Path, run_tool: Callable[..., None]
) -> None:
    with pytest.raises(SystemExit, match='is refused'):
        run_tool(CONVERTER, hostile.path, tmp_path / 'out.pth', '--arch', 'resnet20')
    assert not hostile.marker.exists()


def test_a_training_goes_on_and_nothing_is_run_or_removed(
    streets: Path, tmp_path: Path, run_tool: Callable[..., None]
) -> None:
    """MMEngine would run its config, and remove the file it names as the best."""
    victim, marker = tmp_path / 'victim', tmp_path / 'ran'
    victim.mkdir()
    work_dir = tmp_path / 'work_dir'

    def train(iterations: int, *options: object) -> None:
        run_tool(
            *('train.py', STUDENT, '--data-root', streets, '--work-dir', work_dir),
            *(*options, '--cfg-options', *WORKERS, 'train_dataloader.batch_size=2'),
            *(f'train_cfg.max_iters={iterations}', 'train_cfg.val_interval=2'),
            *('default_hooks.checkpoint.save_best=mIoU', 'randomness.seed=0'),
        )

    train(2)
    path = work_dir / 'iter_2.pth'
    content = torch.load(path, weights_only=False)
    content['meta']['config'] = f'open({str(marker)!r}, "w").close()'
    runtime, resumed = (
        content['message_hub'][part] for part in ('runtime_info', 'resumed_keys')
    )
    runtime.update(best_ckpt=str(victim), best_score=-1.0)
    resumed.update(best_ckpt=True, best_score=True)
    torch.save(content, path)
    train(4, '--resume')

    assert (work_dir / 'iter_4.pth').exists()
    assert (work_dir / 'best_mIoU_iter_4.pth').exists()
    assert victim.is_dir()
    assert not marker.exists()
