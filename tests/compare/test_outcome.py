"""Scores, gains and verdicts of runs made by hand."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from made_runs import made_run, settings, write_session
from mmengine.config import Config
from rich.console import Console

from mmkd.compare.comparison import TEACHER
from mmkd.compare.outcome import (
    BEST,
    Done,
    direction,
    key_of,
    markdown,
    read_done,
    rows_of,
    table,
    verdicts,
    write_best,
)
from mmkd.compare.saved import LINE, gather_lines, save_line
from mmkd.runs import training
from mmkd.runs.training import Training
from mmkd.spread import NOTHING

KD = {'kd': dict(type='LogitsKD', weight=0.5)}
SCORES = {
    'none': (40.0, 42.0, 41.0),
    'kd': (42.0, 43.5, 43.5),
    'dhkd': (41.0, 41.5, 41.0),
}


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, 'call', lambda command, output, environment: 0)


@pytest.fixture
def trainings(tmp_path: Path) -> list[Training]:
    """Three methods with three seeds, and an unfinished training."""
    made = []
    for name, scores in SCORES.items():
        for seed, score in enumerate(scores):
            folder = tmp_path / f'{name}_{seed}'
            methods = None if name == 'none' else KD
            made_run(folder, {50: 60.0, 100: score}, methods, seed)
            command = ('/clone/tools/train.py', 'pair', '--method', name)
            made.append(Training(name, seed, command, folder))
            made[-1].run()
    return [*made, Training('mhkd', 0, ('train.py',), tmp_path / 'mhkd_0')]


@pytest.fixture
def done(trainings: list[Training], tmp_path: Path) -> Done:
    found = read_done(trainings)
    take_lines(found, tmp_path)
    return found


def take_lines(done: Done, out: Path) -> None:
    for each, _ in done:
        save_line(each)
    gather_lines(out, list(SCORES))


def test_gains_are_paired_by_seed(done: Done, tmp_path: Path) -> None:
    """Differences 2, 1.5, 2.5: mean 2, deviation 0.5, t 4.303 at two degrees."""
    half = 4.30265 * 0.5 / 3**0.5
    alone, kd, dhkd = rows_of(done, tmp_path)
    assert alone.scores == {0: 40.0, 1: 42.0, 2: 41.0}
    assert kd.cell('gain', alone) == f'2.00 [{2 - half:.2f}, {2 + half:.2f}]'
    said = verdicts([alone, kd, dhkd])
    assert said[0] == '- student alone: 41.00'
    assert said[1] == '- kd: gains 2.0 [0.8, 3.2] over three seeds'
    assert said[2].startswith('- dhkd: not shown: 0.2 [')
    assert verdicts([kd]) == ['- kd: 43.00, no run of the student alone']
    other = replace(alone, lines={7: alone.lines[0]})
    told = '- kd: 43.00, no seed in common with the student alone'
    assert verdicts([other, kd])[1] == told


def test_runs_of_another_command_in_the_folder_do_not_count(
    done: Done, tmp_path: Path
) -> None:
    fewer = [(each, run) for each, run in done if each.seed < 2]
    rows = {row.label: row for row in rows_of(fewer, tmp_path)}
    assert rows['kd'].scores == {0: 42.0, 1: 43.5}
    assert '| kd | 0, 1 |' in markdown(fewer, tmp_path)


def test_the_table_is_text_and_for_a_terminal(done: Done, tmp_path: Path) -> None:
    lines = markdown(done, tmp_path).strip().splitlines()
    assert lines[0].startswith('|  | seeds | mIoU, last | over student alone [95 %] |')
    assert lines[2].startswith(
        f'| student alone | 0\N{EN DASH}2 | 41.00 ± 1.00 | {NOTHING} |'
    )
    assert '| kd | 0\N{EN DASH}2 | 43.00 ± 0.87 | 2.00 [0.76, 3.24] |' in lines[3]
    text = io.StringIO()
    Console(file=text, width=80).print(table(done, tmp_path))
    assert '2.00 [0.76, 3.24]' in text.getvalue()
    assert '43.00 ± 0.87' in text.getvalue()


def test_the_best_can_be_taken_up(done: Done, tmp_path: Path) -> None:
    """Its run, of which a second session began at a checkpoint, is not gone on with."""
    first = settings(KD, work_dir='kd_0', resume='auto', load_from='pretrained.pth')
    again = settings(KD, work_dir='kd_0', resume=True, load_from='kd_0/iter_50.pth')
    folder = tmp_path / 'kd_0'
    Config(first).dump(next(folder.glob('*/vis_data')) / 'config.py')
    write_session(folder, {100: {}}, config=again, name='20270101_000000')
    assert write_best(done, tmp_path) == 'kd'
    best = Config.fromfile(tmp_path / BEST)
    assert best.model.methods.kd.type == 'LogitsKD'
    assert best.load_from == 'pretrained.pth'
    assert not {'work_dir', 'resume'} & best.keys()


def test_the_teacher_is_no_candidate(trainings: list[Training], tmp_path: Path) -> None:
    made_run(tmp_path / 'teacher', {100: 70.0})
    teacher = Training(TEACHER, 0, ('train.py',), tmp_path / 'teacher')
    teacher.run()
    done = read_done([teacher, *trainings])
    take_lines(done, tmp_path)
    assert write_best(done, tmp_path) == 'kd'
    assert verdicts(rows_of(done, tmp_path))[0] == '- teacher: 70.00'


def test_less_is_better_where_the_config_says_so(tmp_path: Path) -> None:
    hook = dict(type='CheckpointHook', save_best='rmse', rule='less')
    made = []
    for name, score in (('none', 2.0), ('kd', 1.5), ('dhkd', 2.5)):
        for seed in range(2):
            hooks = dict(default_hooks=dict(checkpoint=hook))
            folder = tmp_path / f'{name}_{seed}'
            # Another score was logged first.
            values = {50: dict(bias=9.0, rmse=1.0), 100: dict(bias=9.0, rmse=score)}
            config = settings(None if name == 'none' else KD, seed, **hooks)
            write_session(folder, {100: dict(loss=1.0)}, values, config)
            made.append(Training(name, seed, ('train.py', name), folder))
            made[-1].run()
    done = read_done(made)
    take_lines(done, tmp_path)
    assert key_of(done) == 'rmse'
    assert write_best(done, tmp_path) == 'kd'
    said = verdicts(rows_of(done, tmp_path))
    assert said[1] == '- kd: gains 0.5 [0.5, 0.5] over two seeds'
    assert said[2].startswith('- dhkd: loses \u22120.5')
    assert direction(done) == []
    assert json.loads((tmp_path / 'kd_0' / LINE).read_text())['best'] == 1.0


def test_the_score_is_that_of_the_students(tmp_path: Path) -> None:
    """Not another one that only the teacher's config names, or only it has logged."""
    score = {100: dict(mFscore=80.0, mIoU=40.0)}
    hook = dict(type='CheckpointHook', save_best='mFscore', rule='greater')
    made = []
    for name, hooks in ((TEACHER, dict(checkpoint=hook)), ('none', {}), ('kd', {})):
        folder = tmp_path / name
        config = settings(None, default_hooks=hooks)
        write_session(folder, {100: dict(loss=1.0)}, score, config)
        made.append(Training(name, 0, ('train.py', name), folder))
        made[-1].run()
        save_line(made[-1], settings())
    gather_lines(tmp_path, ['none', 'kd'])
    done = read_done(made)
    assert key_of(done) == 'mIoU'
    assert [row.mean for row in rows_of(done, tmp_path)] == [40.0] * 3
    line = json.loads((tmp_path / 'teacher' / LINE).read_text())
    (tmp_path / 'teacher' / LINE).write_text(json.dumps(line | dict(score='bias')))
    assert [row.label for row in rows_of(done, tmp_path)] == ['student alone', 'kd']
    assert 'teacher' not in markdown(done, tmp_path)


def test_a_score_of_unknown_direction_is_told(tmp_path: Path) -> None:
    for name, told in (('rmse', 1), ('mIoU', 0), ('my/accuracy', 0), ('loss_x', 0)):
        made_run(tmp_path / name, {100: 1.0}, key=name)
        each = Training('kd', 0, ('train.py',), tmp_path / name)
        each.run()
        assert len(direction(read_done([each]))) == told


def test_without_a_score_there_is_nothing_to_compare(tmp_path: Path) -> None:
    made_run(tmp_path / 'a')
    alone = Training('kd', 0, ('train.py',), tmp_path / 'a')
    alone.run()
    with pytest.raises(ValueError, match='no run has logged a score'):
        key_of(read_done([alone]))
