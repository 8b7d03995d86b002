"""``mmkd compare`` on the embedded digits."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mmkd.runs import read_run
from mmkd_demo.digits import write_digits

DEMO = Path(__file__).parents[2] / 'configs/demo/classification'
SHORT = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val')
    for key in ('num_workers=0', 'persistent_workers=False')
]


TEACHER = """_base_ = '{}/teacher.py'
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
train_dataloader = dict(num_workers=0, persistent_workers=False)
"""


def test_methods_are_compared_with_the_student_alone(
    run_tool: Callable[..., None],
    in_this_process: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Train and record the teacher, compare, collect again, and run one by itself."""
    write_digits(Path('data/demo/digits'))
    Path('teacher.py').write_text(TEACHER.format(DEMO))
    Path('pair.py').write_text(
        f"_base_ = '{DEMO}/pair.py'\nmodel = dict(teacher=dict(config='teacher.py'))"
    )
    command = ['pair.py', '--method', 'none', 'kd', '--seeds', 2, '--out', 'all']
    command += ['--epochs', 1, '--train-teacher', '--record']
    command += ['--no-teacher-check', '--cfg-options', *SHORT]

    with pytest.raises(SystemExit, match='a trained teacher, which does not exist'):
        run_tool('compare.py', *command, '--plan')
    run_tool('compare.py', *command)
    assert len(in_this_process) == 6
    folder = Path('all')
    lines = [json.loads(each) for each in (folder / 'runs.jsonl').open()]
    assert [(each['method'], each['seed']) for each in lines] == [
        ('teacher', 0),
        ('none', 0),
        ('kd', 0),
        ('none', 1),
        ('kd', 1),
    ]
    assert lines[0]['parameters'] > lines[1]['parameters'] > 0
    told = capsys.readouterr().out
    assert 'kd: ' in told
    assert 'over two seeds' in told
    assert 'over two seeds' in (folder / 'table.md').read_text()
    assert '<html' in (folder / 'report.html').read_text()
    assert "type='" in (folder / 'best.py').read_text()

    run_tool('compare.py', *command)
    assert len(in_this_process) == 6
    run_tool('compare.py', *command[:5], 3, *command[6:], '--plan')
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[-2:]] == [
        'none_seed2',
        'kd_seed2',
    ]
    with pytest.raises(SystemExit, match=r'holds the training of another command'):
        run_tool('compare.py', *command, 'train_dataloader.batch_size=3')
    with pytest.raises(SystemExit, match=r"--only kd_7: the runs are none_seed0, kd"):
        run_tool('compare.py', *command, '--only', 'kd_7')


def test_settings_are_chosen_on_images_held_back(
    run_tool: Callable[..., None],
    in_this_process: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_digits(Path('data/demo/digits'))
    options = ('--work-dir', 'teacher', '--cfg-options', *SHORT)
    once = ('train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1')
    run_tool('train.py', DEMO / 'teacher.py', *options, *once)
    command = [DEMO / 'pair.py', '--method', 'none', 'dhkd', '--seeds', 1]
    command += ['--out', 'all', '--epochs', 1, '--teacher', 'teacher/epoch_1.pth']
    command += ['--tune', 'optim_wrapper.optimizer.lr=0.0001,0.05']
    command += ['--no-teacher-check', '--cfg-options', *SHORT]

    capsys.readouterr()
    run_tool('compare.py', *command, '--plan')
    planned = [line.split()[-1] for line in capsys.readouterr().out.splitlines()]
    assert planned == ['tune/none_0', 'tune/none_1', 'tune/dhkd_0', 'tune/dhkd_1']
    run_tool('compare.py', *command, '--only', 'tune/none_0')
    assert len(in_this_process) == 1
    run_tool('compare.py', *command)
    assert len(in_this_process) == 6
    tuned = json.loads(Path('all/tuned.json').read_text())
    assert 'is the best of 2' in Path('all/table.md').read_text()
    for method in ('none', 'dhkd'):
        settings = read_run(Path('all', f'{method}_seed0')).settings
        tried, chosen = tuned[method]['tried'], tuned[method]['chosen']
        [[key, value]] = chosen.items()
        assert tried[f'{key}={value}'] == max(tried.values())
        assert settings['optim_wrapper']['optimizer']['lr'] == float(value)
        assert 'indices' not in settings['train_dataloader']['dataset']
    kept = read_run(Path('all/tune/none_0')).settings['train_dataloader']['dataset']
    assert len(kept['indices']) == 718
