"""One line per run, in its folder and in the file of the comparison."""

import json
from pathlib import Path

import pytest
from made_runs import made_run, save_student
from tiny_models import Tiny, tiny

from mmkd.compare.saved import LINE, LINES, gather_lines, line, save_line, settings_of
from mmkd.runs import read_run
from mmkd.runs.training import Training

__all__ = ['tiny']

KD = {'kd': dict(type='LogitsKD', weight=0.5)}


def finished(folder: Path, method: str, seed: int, score: float = 40.0) -> Training:
    place = folder / f'{method}_seed{seed}'
    made_run(place, {50: 60.0, 100: score}, KD, seed)
    command = ('/clone/tools/train.py', 'pair', '--method', method)
    command += ('--set', 'kd.weight=2', '--cfg-options', f'randomness.seed={seed}')
    return Training(method, seed, (*command, 'optim.lr=0.1'), place)


def read(folder: Path) -> list[dict[str, object]]:
    return [json.loads(each) for each in (folder / LINES).read_text().splitlines()]


def test_a_line_says_what_was_run(tmp_path: Path) -> None:
    run = finished(tmp_path, 'kd', 1)
    save_line(run)
    gather_lines(tmp_path, ['kd'])
    [made] = read(tmp_path)
    assert (made['method'], made['seed'], made['score']) == ('kd', 1, 'mIoU')
    assert (made['last'], made['best']) == (40.0, 60.0)
    assert made['command'] == ['tools/train.py', *run.command[1:]]
    assert made['settings'] == ['kd.weight=2', 'optim.lr=0.1']
    assert isinstance(made['versions'], dict)
    assert {'mmkd', 'torch', 'numpy'} <= made['versions'].keys()


def test_lines_are_those_of_the_runs_that_are_there(tmp_path: Path) -> None:
    """Of several calls with other methods; a run that is made anew has a new one."""
    for method in ('kd', 'none', 'teacher'):
        for seed in range(1 if method == 'teacher' else 2):
            save_line(finished(tmp_path, method, seed))
    gather_lines(tmp_path / 'new', ['none'])
    assert read(tmp_path / 'new') == []
    gather_lines(tmp_path, ['none'])
    assert [(each['method'], each['seed']) for each in read(tmp_path)] == [
        *(('teacher', 0), ('none', 0), ('kd', 0), ('none', 1), ('kd', 1)),
    ]
    for file in (tmp_path / 'kd_seed0').rglob('*'):
        if file.is_file():
            file.unlink()
    gather_lines(tmp_path, ['none'])
    assert len(read(tmp_path)) == 4


def test_a_line_stays_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Versions and commit are those of the run, whoever collects it."""
    run = finished(tmp_path, 'kd', 0)
    save_line(run)
    before = (run.work_dir / LINE).read_text()
    monkeypatch.setattr('mmkd.compare.saved.versions', dict)
    save_line(run)
    assert (run.work_dir / LINE).read_text() == before


def test_a_run_without_a_score_is_named(tmp_path: Path) -> None:
    made_run(tmp_path / 'a', {})
    with pytest.raises(ValueError, match=r'a has not logged a score'):
        save_line(Training('kd', 0, ('train.py',), tmp_path / 'a'))
    made_run(tmp_path / 'b', {})
    save_line(Training('teacher', 0, ('train.py',), tmp_path / 'b'))
    assert not (tmp_path / 'b' / LINE).exists()


def test_a_line_says_how_many_parameters_are_deployed(
    tmp_path: Path, tiny: Tiny
) -> None:
    network = dict(tiny.classifier(), _scope_='mmpretrain')
    made_run(tmp_path / 'a', {100: 1.0}, KD, student=network)
    save_student(tmp_path / 'a')
    training = Training('kd', 0, ('a.py',), tmp_path / 'a')
    run = read_run(tmp_path / 'a')
    count = sum(p.numel() for p in tiny.plain('images').parameters())
    assert line(training, run, 'mIoU')['parameters'] == count
    (tmp_path / 'a' / 'student.pth').unlink()
    assert line(training, run, 'mIoU')['parameters'] is None


def test_values_that_look_like_settings_are_none() -> None:
    words = ['train.py', 'a=b', '--data-root', 'c=d', '--set', 'kd.weight=1', '--amp']
    assert settings_of(words) == ['kd.weight=1']
