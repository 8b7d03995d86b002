"""Several trainings, side by side or one after the other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from small_trainings import made, scripts

from mmkd.runs import training
from mmkd.runs.training import DIVERGED, Training
from mmkd.runs.trainings import in_hours, train_all


@pytest.mark.parametrize('jobs', [1, 2])
def test_each_is_taken_up_once_it_is_done(
    jobs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = scripts(tmp_path, '000')
    taken: list[Training] = []
    train_all(trainings[:1], jobs, then=taken.append)
    train_all(trainings, jobs, then=taken.append)
    assert taken[0] == trainings[0]
    assert sorted(each.seed for each in taken) == [0, 1, 2]
    assert all(each.is_done for each in taken)
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == ['1 of 1 trainings to do', 'done: kd, seed 0']
    assert said[2] == '2 of 3 trainings to do'
    assert said[3].endswith('; about 1 min left')


@pytest.mark.parametrize(
    ('jobs', 'count', 'done', 'threads'),
    [(1, 2, 0, None), (2, 1, 0, None), (2, 2, 0, '1'), (2, 2, 1, '1')],
)
def test_those_that_run_side_by_side_have_one_thread(
    jobs: int,
    count: int,
    done: int,
    threads: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A teacher alone has all; the last one of several has what the others had."""
    seen: list[str | None] = []

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        seen.append(environment.get('OMP_NUM_THREADS'))
        return 0

    monkeypatch.setattr(training, 'call', call)
    monkeypatch.delenv('OMP_NUM_THREADS', raising=False)
    trainings = [made(tmp_path / f'{seed}') for seed in range(count)]
    for each in trainings[:done]:
        each.run()
    seen.clear()
    train_all(trainings, jobs)
    assert seen == [threads] * (count - done)


def test_a_failure_does_not_keep_others_from_running(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = scripts(tmp_path, '0101')
    taken: list[Training] = []
    with pytest.raises(RuntimeError, match=r'failed, see (.|\n)*failed, see'):
        train_all(trainings, 1, then=taken.append)
    assert [each.seed for each in taken] == [0, 2]
    assert 'failed: kd, seed 1' in capsys.readouterr().out


def test_if_the_first_fails_no_other_begins(tmp_path: Path) -> None:
    trainings = scripts(tmp_path, '1' + 30 * '0')
    with pytest.raises(RuntimeError, match='failed, see'):
        train_all(trainings, 1)
    assert not any(each.work_dir.exists() for each in trainings[1:])


@pytest.mark.parametrize('jobs', [1, 2])
def test_those_that_may_diverge_are_settled_once_they_have(
    tmp_path: Path, jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = scripts(tmp_path, f'{DIVERGED}0{DIVERGED}0')
    taken: list[Training] = []
    train_all(trainings, jobs, then=taken.append, may_diverge=True)
    assert {each.seed for each in taken} == {1, 3}
    assert [each.has_diverged for each in trainings] == [True, False, True, False]
    capsys.readouterr()
    train_all(trainings, jobs, may_diverge=True)
    assert capsys.readouterr().out == '0 of 4 trainings to do\n'
    with pytest.raises(RuntimeError, match='failed, see'):
        train_all(trainings, jobs)


def test_one_that_ended_for_another_reason_has_not_diverged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = made(tmp_path / 'kd')
    for code in (1, 2, -signal.SIGKILL, 128 + signal.SIGTERM):
        monkeypatch.setattr(training, 'call', lambda *_, code=code: code)
        with pytest.raises(RuntimeError, match='failed, see'):
            train_all([each], 1, may_diverge=True)
        assert not each.has_diverged


def test_sigterm_ends_what_runs(tmp_path: Path) -> None:
    sleeper = tmp_path / 'train.py'
    sleeper.write_text(
        "import os, pathlib, sys, time\npathlib.Path(sys.argv[1]).write_text("
        "str(os.getpid()))\ntime.sleep(600)"
    )
    compare = tmp_path / 'compare.py'
    compare.write_text(
        f"""
from pathlib import Path
from mmkd.runs.training import Training
from mmkd.runs.trainings import train_all
place = Path({str(tmp_path)!r})
train_all([
    Training('kd', seed, ({str(sleeper)!r}, str(place / f'pid{{seed}}')), place / name)
    for seed, name in enumerate('ab')
], 2)
"""
    )
    root = Path(__file__).parents[2]
    environment = {**os.environ, 'PYTHONPATH': str(root)}
    process = subprocess.Popen([sys.executable, str(compare)], env=environment)
    files = [tmp_path / f'pid{seed}' for seed in range(2)]
    until = time.monotonic() + 300
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < until
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(300) == 128 + signal.SIGTERM
    for file in files:
        with pytest.raises(ProcessLookupError):
            os.kill(int(file.read_text()), 0)


@pytest.mark.parametrize(
    ('minutes', 'words'), [(0.2, '1 min'), (89.4, '89 min'), (150.0, '2.5 h')]
)
def test_durations_in_words(minutes: float, words: str) -> None:
    assert in_hours(minutes) == words
