"""Stages of trainings: run, planned, or one of them by itself."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run

from mmkd.compare.saved import LINE, LINES
from mmkd.compare.stages import Stages
from mmkd.runs import training
from mmkd.runs.training import DIVERGED, Training

METHODS = ['none', 'kd']


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Training]:
    """Two trainings, of which that of KD diverges at its first call."""
    calls: list[str] = []

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        name = command[-1]
        calls.append(name)
        if name == 'kd' and calls.count('kd') == 1:
            return DIVERGED
        made_run(tmp_path / f'{name}_seed0', {100: 40.0})
        return 0

    monkeypatch.setattr(training, 'call', call)
    return [
        Training(name, 0, ('train.py', name), tmp_path / f'{name}_seed0')
        for name in METHODS
    ]


def test_the_lines_of_what_is_done_are_there_after_a_failure(
    trainings: list[Training], tmp_path: Path
) -> None:
    with pytest.raises(RuntimeError, match='failed'):
        Stages(tmp_path, METHODS).run(trainings)
    assert len((tmp_path / LINES).read_text().splitlines()) == 1
    assert Stages(tmp_path, METHODS).run(trainings)
    assert len((tmp_path / LINES).read_text().splitlines()) == 2
    (tmp_path / 'none_seed0' / LINE).unlink()
    assert Stages(tmp_path, METHODS).run(trainings)
    assert len((tmp_path / LINES).read_text().splitlines()) == 2


def test_a_score_that_is_not_finite_keeps_no_other_from_its_line(
    trainings: list[Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends with it, whenever it is called."""

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        score = math.nan if command[-1] == 'none' else 40.0
        made_run(tmp_path / f'{command[-1]}_seed0', {50: 30.0, 100: score})
        return 0

    monkeypatch.setattr(training, 'call', call)
    for _ in range(2):
        with pytest.raises(RuntimeError, match='none_seed0: its last mIoU is nan'):
            Stages(tmp_path, METHODS).run(trainings)
        [line] = (tmp_path / LINES).read_text().splitlines()
        assert json.loads(line)['method'] == 'kd'


def test_a_plan_has_each_that_is_missing(
    trainings: list[Training], tmp_path: Path
) -> None:
    stages = Stages(tmp_path, METHODS, plan=True)
    assert not stages.run(trainings)
    assert stages.planned == ['none_seed0', 'kd_seed0']
    for name in ('none_seed0', 'none_seed0'):
        stages = Stages(tmp_path, METHODS, only=name)
        assert not stages.run(trainings)
        stages.check()
    assert (tmp_path / 'none_seed0' / LINE).exists()
    assert not (tmp_path / LINES).exists()
    stages = Stages(tmp_path, METHODS, plan=True)
    assert not stages.run(trainings)
    assert stages.planned == ['kd_seed0']
    assert Stages(tmp_path, METHODS, plan=True).run(trainings[:1])


def test_what_may_diverge_keeps_no_stage_waiting(
    trainings: list[Training], tmp_path: Path
) -> None:
    for each in trainings:
        name = str(each.work_dir.relative_to(tmp_path))
        assert not Stages(tmp_path, METHODS, plan=True).run(trainings, may_diverge=True)
        assert not Stages(tmp_path, METHODS, only=name).run(trainings, may_diverge=True)
    assert Stages(tmp_path, METHODS, plan=True).run(trainings, may_diverge=True)
    assert not Stages(tmp_path, METHODS, plan=True).run(trainings)


def test_a_later_stage_waits_for_the_one_before(
    trainings: list[Training], tmp_path: Path
) -> None:
    stages = Stages(tmp_path, METHODS, only='kd_seed0')
    assert not stages.run(trainings[:1])
    with pytest.raises(ValueError, match=r'--only kd_seed0: the runs are none_seed0'):
        stages.check()
    trainings[0].run()
    stages = Stages(tmp_path, METHODS, only='kd_seed0')
    assert stages.run(trainings[:1])
    with pytest.raises(RuntimeError, match='failed'):
        stages.run(trainings[1:])


def test_nothing_runs_where_nothing_must(
    trainings: list[Training], tmp_path: Path
) -> None:
    stages = Stages(tmp_path, METHODS, dry=True)
    assert not stages.run(trainings)
    assert not trainings[0].is_done
    trainings[0].run()
    assert stages.run(trainings[:1])


def test_records_and_trials_have_no_line(
    trainings: list[Training], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, 'call', lambda command, output, environment: 0)
    record = Training('record', 0, ('record.py',), tmp_path / 'recording')
    trial = Training('kd weight=1', 1000, ('train.py',), tmp_path / 'tune' / 'kd_1')
    assert Stages(tmp_path, METHODS).run([record])
    assert Stages(tmp_path, METHODS).run([trial])
    assert (tmp_path / LINES).read_text() == ''
