"""A comparison by its command, on the embedded digits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmkd_demo.digits import write_digits

DEMO = Path(__file__).parents[2] / 'configs/demo/classification'
SHORT = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val')
    for key in ('num_workers=0', 'persistent_workers=False')
]


def test_methods_are_compared_with_the_student_alone(
    run_tool: Callable[..., None],
    in_this_process: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Recorded, compared, collected again; and one run of it by itself."""
    write_digits(Path('data/demo/digits'))
    options = ('--work-dir', 'teacher', '--cfg-options', *SHORT)
    short = ('train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1')
    run_tool('train.py', DEMO / 'teacher.py', *options, *short)
    command = [DEMO / 'dhkd.py', '--method', 'none', 'kd', '--seeds', 2, '--out', 'all']
    command += ['--epochs', 1, '--teacher', 'teacher/epoch_1.pth', '--record']
    command += ['--no-teacher-check', '--cfg-options', *SHORT]

    with pytest.raises(SystemExit, match=r'a record that is not there yet.*record\.py'):
        run_tool('compare.py', *command, '--plan')
    run_tool('compare.py', *command)
    assert len(in_this_process) == 5
    folder = Path('all')
    lines = [json.loads(each) for each in (folder / 'runs.jsonl').open()]
    assert [(each['method'], each['seed']) for each in lines] == [
        ('none', 0),
        ('kd', 0),
        ('none', 1),
        ('kd', 1),
    ]
    told = capsys.readouterr().out
    assert 'kd: ' in told
    assert 'over two seeds' in told
    assert '<html' in (folder / 'report.html').read_text()
    assert "type='" in (folder / 'best.py').read_text()

    run_tool('compare.py', *command)
    assert len(in_this_process) == 5
    run_tool('compare.py', *command, '--plan')
    assert '--only none:0' in capsys.readouterr().out
    with pytest.raises(SystemExit, match=r'holds the training of another command'):
        run_tool('compare.py', *command, 'train_dataloader.batch_size=3')
    with pytest.raises(SystemExit, match=r"--only kd:7: the runs are none:0, kd:0"):
        run_tool('compare.py', *command, '--only', 'kd:7')
