"""The commands of ``mmkd analyse``, on the embedded digits."""

import json
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from mmkd.analysis.four_settings import SETTINGS
from mmkd_demo.digits import write_digits

TOOLS = Path(__file__).parents[2] / 'tools'
SHORT = ('train_cfg.max_epochs=1', 'default_hooks.checkpoint.interval=1')
ALONE = [
    f'{split}_dataloader.{key}'
    for split in ('train', 'val')
    for key in ('num_workers=0', 'persistent_workers=False')
]


@pytest.mark.check
def test_digits(
    run_tool: Callable[..., None],
    in_this_process: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
) -> None:
    command = ('--seeds', 1, '--jobs', 1, '--teacher', tmp_path / 'teacher.pth')
    teacher = ('--cfg-options', *ALONE, *SHORT)
    config = str(Path(__file__).parents[2] / 'configs/demo/classification/teacher.py')
    write_digits(Path('data/demo/digits'))
    run_tool('train.py', config, '--work-dir', 'teacher', *teacher)
    shutil.copy('teacher/epoch_1.pth', 'teacher.pth')
    for _ in range(2):
        run_tool('analysis/collapse.py', *command, '--cfg-options', *ALONE, *SHORT)
    more = ('--settings', 'one_head', '--set', 'binary_kl.weight=0.5')
    with pytest.raises(SystemExit, match='holds the training of another command'):
        run_tool('analysis/collapse.py', *command, *more)
    assert [Path(name).stem for name in in_this_process] == list(SETTINGS)
    folder = Path('work_dirs/collapse/digits')
    assert cv2.imread(str(folder / 'collapse.png')).std() > 5
    content = json.loads((folder / 'collapse.json').read_text())
    assert content['score'] == 'accuracy/top1'
    for name in SETTINGS:
        [curves] = content['runs'][name]
        assert list(curves['cross_entropy']) == ['1']
        assert 'collapse_within' in curves
        assert content['ends']['accuracy/top1'][name] == [curves['accuracy/top1']['1']]
    assert 'train/grad_cos_classifier' in content['runs']['one_head'][0]
    assert 'train/grad_cos_classifier' not in content['runs']['two_heads'][0]
    assert '0 of 4 trainings to do' in capsys.readouterr().out
    runs = [f'{name}={folder}/{name}_0' for name in ('one_head', 'two_heads')]
    run_tool('analysis/gradients.py', *runs, '--images', 100, '--out', 'g.png')
    cosines = json.loads(Path('g.json').read_text())['cosines']
    assert cosines['one_head']['features']['count'] == 100
    assert set(cosines['two_heads']) == {'features'}
    shown = ('--classes', 3, '--points', 60, '--out', 't.png')
    run_tool('analysis/tsne.py', 'teacher', *runs, '--images', 200, *shown)
    silhouettes = json.loads(Path('t.json').read_text())['silhouettes']
    assert list(silhouettes) == ['teacher', 'one_head', 'two_heads']
    for picture in ('g.png', 't.png'):
        assert cv2.imread(picture).std() > 5


def test_a_value_that_not_every_training_has_logged() -> None:
    tool = runpy.run_path(str(TOOLS / 'analysis' / 'collapse.py'))
    runs = {'one_head': [{'loss': {1: 3.0, 2: 2.0}}, {}], 'two_heads': [{}]}
    found = tool['last_values'](runs, 'loss')
    assert found == {'one_head': [2.0], 'two_heads': []}
    told = [tool['in_words'](values) for values in found.values()]
    assert told == ['2.00 (2.00)', 'not logged']


@pytest.mark.parametrize('tool', ['collapse', 'gradients', 'tsne'])
def test_what_is_wrong_ends_the_command_in_words(
    run_tool: Callable[..., None], tool: str
) -> None:
    wrong = ('--data', 'nowhere') if tool == 'collapse' else ('nowhere',)
    with pytest.raises(SystemExit, match=rf"^{tool}\.py: .*nowhere"):
        run_tool(f'analysis/{tool}.py', *wrong)


@pytest.mark.parametrize(
    ('tool', 'option'),
    [
        ('collapse', 'seeds'),
        ('collapse', 'jobs'),
        ('gradients', 'images'),
        ('gradients', 'positions'),
        ('tsne', 'images'),
        ('tsne', 'positions'),
        ('tsne', 'classes'),
        ('tsne', 'points'),
    ],
)
def test_counts_begin_at_1(
    run_tool: Callable[..., None],
    capsys: pytest.CaptureFixture,
    tool: str,
    option: str,
) -> None:
    runs = () if tool == 'collapse' else ('run',)
    with pytest.raises(SystemExit):
        run_tool(f'analysis/{tool}.py', *runs, f'--{option}', 0)
    assert f'--{option}: must be an integer >= 1' in capsys.readouterr().err
