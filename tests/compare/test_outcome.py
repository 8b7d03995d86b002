"""Scores, gains and verdicts of runs made by hand."""

import io
import json
from pathlib import Path

import pytest
from made_runs import made_run, save_student
from rich.console import Console
from tiny_models import Tiny, tiny

from mmkd.compare.comparison import TEACHER
from mmkd.compare.outcome import (
    BEST,
    LINES,
    Done,
    key_of,
    line,
    markdown,
    read_done,
    rows_of,
    table,
    verdicts,
    write_best,
    write_lines,
)
from mmkd.runs.training import Training
from mmkd.spread import NOTHING

__all__ = ['tiny']

KD = {'kd': dict(type='LogitsKD', weight=0.5)}
SCORES = {
    'none': (40.0, 42.0, 41.0),
    'kd': (42.0, 43.5, 43.5),
    'dhkd': (41.0, 41.5, 41.0),
}


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
            (folder / 'done.txt').write_text(' '.join(command))
    return [*made, Training('mhkd', 0, ('train.py',), tmp_path / 'mhkd_0')]


@pytest.fixture
def done(trainings: list[Training], tmp_path: Path) -> Done:
    found = read_done(trainings)
    write_lines(found, tmp_path, 'abc')
    return found


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
    assert verdicts([kd]) == ['- kd: 43.00, no seed in common with the student alone']


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


def test_each_run_has_one_line(trainings: list[Training], tmp_path: Path) -> None:
    write_lines(read_done(trainings[:2]), tmp_path, 'abc')
    write_lines(read_done(trainings), tmp_path, 'def')
    lines = [json.loads(each) for each in (tmp_path / LINES).read_text().splitlines()]
    assert [(each['method'], each['seed']) for each in lines] == [
        (name, seed) for name in SCORES for seed in range(3)
    ]
    first = lines[0]
    assert (first['last'], first['best'], first['commit']) == (40.0, 60.0, 'abc')
    assert first['command'] == ['tools/train.py', 'pair', '--method', 'none']


def test_the_best_can_be_taken_up(done: Done, tmp_path: Path) -> None:
    assert write_best(done, tmp_path) == 'kd'
    assert 'LogitsKD' in (tmp_path / BEST).read_text()


def test_the_teacher_is_no_candidate(trainings: list[Training], tmp_path: Path) -> None:
    made_run(tmp_path / 'teacher', {100: 70.0})
    (tmp_path / 'teacher' / 'done.txt').write_text('train.py')
    teacher = Training(TEACHER, 0, ('train.py',), tmp_path / 'teacher')
    done = read_done([teacher, *trainings])
    write_lines(done, tmp_path, None)
    assert write_best(done, tmp_path) == 'kd'
    assert verdicts(rows_of(done, tmp_path))[0] == '- teacher: 70.00'


def test_a_line_says_how_many_parameters_are_deployed(
    tmp_path: Path, tiny: Tiny
) -> None:
    network = dict(tiny.classifier(), _scope_='mmpretrain')
    run = made_run(tmp_path / 'a', {100: 1.0}, KD, student=network)
    save_student(tmp_path / 'a')
    training = Training('kd', 0, ('train.py',), tmp_path / 'a')
    count = sum(p.numel() for p in tiny.plain('images').parameters())
    assert line(training, run, 'mIoU', None)['parameters'] == count
    (tmp_path / 'a' / 'student.pth').unlink()
    assert line(training, run, 'mIoU', None)['parameters'] is None


def test_without_a_score_there_is_nothing_to_compare(tmp_path: Path) -> None:
    made_run(tmp_path / 'a')
    (tmp_path / 'a' / 'done.txt').write_text('train.py')
    with pytest.raises(ValueError, match='no run has logged a score'):
        key_of(read_done([Training('kd', 0, ('train.py',), tmp_path / 'a')]))
