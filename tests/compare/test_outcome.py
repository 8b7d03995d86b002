"""Scores, gains and verdicts of runs made by hand."""

import json
from pathlib import Path

import pytest
from made_runs import made_run

from mmkd.compare.outcome import (
    BEST,
    LINES,
    markdown,
    read_done,
    rows_of,
    write_best,
    write_lines,
)
from mmkd.runs.training import Training
from mmkd.spread import NOTHING

KD = {'kd': dict(type='LogitsKD', weight=0.5)}
SCORES = {
    'none': (40.0, 42.0, 41.0),
    'kd': (42.0, 43.5, 43.5),
    'dhkd': (41.0, 41.5, 41.0),
}


@pytest.fixture
def trainings(tmp_path: Path) -> list[Training]:
    """Three methods with three seeds, and one that has not ended."""
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


def test_gains_are_paired_by_seed(trainings: list[Training]) -> None:
    """Differences 2, 1.5, 2.5: mean 2, deviation 0.5, t 4.303 at two degrees."""
    alone, kd, dhkd = rows_of(read_done(trainings))
    assert (alone.gain, alone.scores) == (None, {0: 40.0, 1: 42.0, 2: 41.0})
    assert kd.gain is not None
    assert kd.gain.mean == pytest.approx(2)
    assert kd.gain.low == pytest.approx(2 - 4.30265 * 0.5 / 3**0.5, abs=1e-4)
    assert kd.verdict == 'kd: gains 2.0 [0.8, 3.2] over three seeds'
    assert dhkd.verdict.startswith('dhkd: not shown: 0.2 [')
    assert alone.verdict == 'none: the student alone, 41.00'


def test_the_table_is_text_too(trainings: list[Training]) -> None:
    lines = markdown(rows_of(read_done(trainings))).splitlines()
    assert lines[0].startswith('| method | runs | mIoU |')
    assert lines[2].startswith(f'| none | 3 | 41.00 ± 1.00 | {NOTHING} |')
    assert lines[3].startswith('| kd | 3 | 43.00 ± 0.87 | 2.0 [0.8, 3.2] |')
    assert lines[-2] == '- kd: gains 2.0 [0.8, 3.2] over three seeds'


def test_each_run_has_one_line(trainings: list[Training], tmp_path: Path) -> None:
    write_lines(read_done(trainings[:2]), 'mIoU', tmp_path, 'abc')
    write_lines(read_done(trainings), 'mIoU', tmp_path, 'def')
    lines = [json.loads(each) for each in (tmp_path / LINES).read_text().splitlines()]
    assert [(each['method'], each['seed']) for each in lines] == [
        (name, seed) for name in SCORES for seed in range(3)
    ]
    first = lines[0]
    assert (first['last'], first['best'], first['commit']) == (40.0, 60.0, 'abc')
    assert first['command'] == ['tools/train.py', 'pair', '--method', 'none']


def test_the_best_can_be_taken_up(trainings: list[Training], tmp_path: Path) -> None:
    assert write_best(rows_of(read_done(trainings)), tmp_path) == 'kd'
    assert 'LogitsKD' in (tmp_path / BEST).read_text()


def test_without_a_score_there_is_nothing_to_compare(tmp_path: Path) -> None:
    made_run(tmp_path / 'a')
    (tmp_path / 'a' / 'done.txt').write_text('train.py')
    with pytest.raises(ValueError, match='no run has logged a score'):
        rows_of(read_done([Training('kd', 0, ('train.py',), tmp_path / 'a')]))
