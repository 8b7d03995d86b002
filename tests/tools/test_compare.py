"""``mmkd compare`` on the embedded digits."""

import json
import os
import re
import runpy
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from in_process import TOOLS

from mmkd.compare import comparison
from mmkd.runs import read_run
from mmkd_demo.digits import write_digits

RATE = 'optim_wrapper.optimizer.lr'
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


def assert_sum(told: Sequence[str]) -> None:
    """The last line is the sum of the others, but for what they round away."""
    *parts, total = told
    of = re.compile(r'[\w ]+: (?:(\d+) trainings of )?(\d+\.\d) min').fullmatch
    found = [match.groups('1') for match in map(of, parts) if match]
    assert len(found) == len(parts)
    minutes = sum(int(count) * float(each) for count, each in found)
    rounded = 0.5 + sum(int(count) * 0.05 for count, _ in found)
    shown = re.fullmatch(r'in all (\d+) min, plus start-ups and validations', total)
    assert shown
    assert int(shown[1]) == pytest.approx(max(1, minutes), abs=rounded + 1e-9)


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
    command += ['--epochs', 1, '--train-teacher', '--record', '--set', 'kd.weight=0.8']
    command += ['--no-teacher-check', '--cfg-options', *SHORT]

    def planned() -> list[str]:
        capsys.readouterr()
        run_tool('compare.py', *command, '--plan')
        return [line.split()[-1] for line in capsys.readouterr().out.splitlines()]

    # The hours of all stages are known before the first of them.
    run_tool('compare.py', *command, '--estimate')
    told = capsys.readouterr().out.splitlines()
    assert [line.split(' of ')[0] for line in told[1:3]] == [
        *('student alone: 2 trainings', 'kd: 2 trainings'),
    ]
    assert told[0].startswith('teacher: ')
    assert_sum(told)
    assert [each.name for each in Path('all').iterdir()] == ['trials']

    # Each stage is planned once the one before is done.
    for name in ('teacher', 'recording'):
        assert planned() == [name]
        with pytest.raises(SystemExit, match=f'--only kd_seed0: the runs are .*{name}'):
            run_tool('compare.py', *command, '--only', 'kd_seed0')
        run_tool('compare.py', *command, '--only', name)
    assert planned() == ['none_seed0', 'kd_seed0', 'none_seed1', 'kd_seed1']
    run_tool('compare.py', *command, '--only', 'kd_seed1')
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
    assert lines[2]['settings'][0] == 'kd.weight=0.8'
    told = capsys.readouterr().out
    assert 'kd: ' in told
    assert 'over two seeds' in told
    assert 'over two seeds' in (folder / 'table.md').read_text()
    assert '<html' in (folder / 'report.html').read_text()

    # What has finished is reported without the data.
    Path('data').rename('away')
    run_tool('compare.py', *command)
    Path('away').rename('data')
    assert len(in_this_process) == 6
    run_tool('compare.py', *command[:5], 3, *command[6:], '--plan')
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()[-2:]] == [
        'none_seed2',
        'kd_seed2',
    ]
    with pytest.raises(SystemExit, match=r'holds the training of another command'):
        run_tool('compare.py', *command, 'train_dataloader.batch_size=3')
    with pytest.raises(SystemExit, match=r'--only kd_7: the runs are .*none_seed0, kd'):
        run_tool('compare.py', *command, '--only', 'kd_7')

    # The best can be trained again, from the beginning and in another folder.
    run_tool('train.py', 'all/best.py', '--work-dir', 'again')
    assert [each.name for each in Path('again').glob('epoch_*.pth')] == ['epoch_1.pth']

    # Other lines of the config are another comparison.
    with Path('pair.py').open('a') as pair:
        pair.write('\ntrain_dataloader = dict(batch_size=7)\n')
    comparison._read.cache_clear()
    with pytest.raises(SystemExit, match=r'config\.train_dataloader\.batch_size was'):
        run_tool('compare.py', *command)


def test_the_best_of_a_teacher_that_keeps_no_other(tmp_path: Path) -> None:
    teachers_file = runpy.run_path(str(TOOLS / 'compare.py'))['teachers_file']
    with pytest.raises(ValueError, match='has left no checkpoint'):
        teachers_file(tmp_path)
    best, last = tmp_path / 'best_accuracy_top1_epoch_1.pth', tmp_path / 'epoch_2.pth'
    best.touch()
    assert teachers_file(tmp_path) == best
    last.touch()
    (tmp_path / 'last_checkpoint').write_text(str(last))
    assert teachers_file(tmp_path) == last
    best.unlink()
    last.unlink()
    assert teachers_file(tmp_path) == last


def test_mistakes_are_said_before_the_teacher_is_trained(
    run_tool: Callable[..., None], in_this_process: list[str]
) -> None:
    write_digits(Path('data/demo/digits'))
    command = [DEMO / 'pair.py', '--out', 'all', '--train-teacher', '--method', 'none']
    for words, message in (
        (['dhdk'], "unknown 'dhdk'"),
        (['kd', '--iterations', 3], 'give --epochs'),
        (['kd', '--tune', 'lr'], '--tune takes KEY=VALUE,VALUE'),
        (['kd', '--set', 'dkd.weight=1'], 'no method that is compared has it'),
        (['kd', '--set', 'kd.wieght=1'], "no setting 'wieght'. Did you mean 'weight'"),
        (['kd', '--set', 'kd.loss.tau=hot'], 'methods.kd.loss: tau must be a number'),
        (['kd', '--tune', f'{RATE}=0.1,1', 'kd.wieght=1,2'], "'wieght'"),
        (['kd', '--tune', f'{RATE}r=0.1,1'], "'lrr'"),
        (['kd', '--tune', f'{RATE}=0.1,1', '--tune', 'kd.weight=1,x'], 'weight must'),
        (['--method', 'dhdk'], "unknown 'dhdk'"),
        (['kd+dhkd', 'dhkd+kd'], None),
        (['--work-dir', 'elsewhere'], '--work-dir: the comparison sets that itself'),
        (['--resume', 'a.pth'], '--resume: the comparison sets that itself'),
        (['kd', '--cfg-options', f'{RATE}=fast'], 'lr must be a number'),
        (['kd', '--cfg-options', 'train_cfgg.max_epochs=1'], "'train_cfgg'"),
        (['kd', '--data-root', 'nowhere'], "'nowhere'"),
        (
            ['kd', '--data-root', 'nowhere', '--plan', '--tune', f'{RATE}=0.1,1'],
            "'nowhere'",
        ),
        (['kd', '--ampp'], None),
        (['kd', '--record', '--auto-resume'], None),
    ):
        with pytest.raises(SystemExit, match=message) as end:
            run_tool('compare.py', *command, *words)
        if message is None:
            assert end.value.code == 2
    missing = [*command[:3], '--method', 'none', 'kd', '--teacher', 'nowhere.pth']
    with pytest.raises(SystemExit, match=r"teacher checkpoint 'nowhere\.pth' cannot"):
        run_tool('compare.py', *missing)
    assert not in_this_process
    assert not Path('all').exists()


def test_a_plan_is_nothing_but_commands(
    run_tool: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    """It needs neither data nor teacher, and says anything else to the other stream."""
    Path('pair.py').write_text(f"_base_ = '{DEMO}/pair.py'\nunused = 1\n")
    command = ['pair.py', '--method', 'none', 'kd', '--seeds', 1, '--out', 'a b']
    run_tool('compare.py', *command, '--plan')
    told = capsys.readouterr()
    assert "nothing reads 'unused'" in told.err
    planned = [shlex.split(line) for line in told.out.splitlines()]
    assert planned == [
        [sys.executable, str(TOOLS / 'compare.py'), *map(str, command), '--only', name]
        for name in ('none_seed0', 'kd_seed0')
    ]


@pytest.mark.check
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
    names = [
        f'tune/{method}_optim_wrapper.optimizer.lr={rate}'
        for method in ('none', 'dhkd')
        for rate in ('0.0001', '0.05')
    ]
    assert planned == names
    run_tool('compare.py', *command, '--estimate')
    told = capsys.readouterr().out.splitlines()
    assert [line.split(' of ')[0] for line in told[:2]] == [
        *('student alone: 3 trainings', 'dhkd: 3 trainings'),
    ]
    assert_sum(told)
    run_tool('compare.py', *command, '--only', names[0])
    assert len(in_this_process) == 1
    assert not Path('all/runs.jsonl').exists()
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
    kept = read_run(Path('all', names[0])).settings['train_dataloader']['dataset']
    assert len(kept['indices']) == 718


def test_it_goes_on_where_it_was_ended(
    run_tool: Callable[..., None], tmp_path: Path, in_this_process: list[str]
) -> None:
    """By SIGTERM, which ends its training too; the result is the same."""
    write_digits(Path('data/demo/digits'))
    command = [DEMO / 'pair.py', '--method', 'none', '--seeds', 1, '--epochs', 4]
    options = ['--cfg-options', *SHORT, 'default_hooks.logger.interval=1']
    words = [str(word) for word in (*command, '--out', 'ended', *options)]
    process = subprocess.Popen(
        [sys.executable, str(TOOLS / 'compare.py'), *words],
        # As many threads as the trainings in this process, which adds up alike.
        env={**os.environ, 'PYTHONPATH': str(TOOLS.parent), 'OMP_NUM_THREADS': '1'},
    )
    run, until = Path('ended', 'none_seed0'), time.monotonic() + 300
    while not any('loss' in log.read_text() for log in run.glob('*/vis_data/*.json')):
        assert process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 128 + signal.SIGTERM
    assert not (run / 'done.json').exists()
    assert len(list(run.glob('*.pth'))) == 1
    run_tool('compare.py', *words)
    run_tool('compare.py', *command, '--out', 'whole', *options)
    ended, whole = (
        json.loads(Path(folder, 'runs.jsonl').read_text())
        for folder in ('ended', 'whole')
    )
    assert (ended['last'], ended['best']) == (whole['last'], whole['best'])
    assert len(list(run.glob('*/vis_data'))) == 2
