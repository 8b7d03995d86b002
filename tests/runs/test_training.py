"""A training in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import write_session

from mmkd.resilience.stop_signal import STOPPED
from mmkd.runs import training
from mmkd.runs.training import MARK, Training, in_hours, train_all

EXIT = 'import sys; sys.exit(int(sys.argv[1]))'
"""A training that ends with the code it is given."""


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were run, without running them; those with ``fails`` fail."""
    commands = []

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        commands.append(list(command[1:]))
        return 1 if 'fails' in command else 0

    monkeypatch.setattr(training, 'call', call)
    return commands


def made(folder: Path, *words: str, **facts: Any) -> Training:
    command = ('train.py', *words, '--work-dir', str(folder))
    return Training('one_head', 0, command, folder, facts)


def scripts(tmp_path: Path, codes: str) -> list[Training]:
    script = tmp_path / 'train.py'
    script.write_text(EXIT)
    return [
        Training('kd', seed, (str(script), code), tmp_path / f'{seed}')
        for seed, code in enumerate(codes)
    ]


def test_what_is_done_is_not_trained_again(
    ran: list[list[str]], tmp_path: Path
) -> None:
    first = made(tmp_path / 'run', 'a')
    for _ in range(2):
        first.run(threads=1)
    assert ran == [list(first.command)]
    assert first.is_done


def test_another_command_or_config_is_refused(
    ran: list[list[str]], tmp_path: Path
) -> None:
    first = made(tmp_path / 'run', 'a', config=dict(lr=0.1, steps=[1, 2]))
    first.run()
    with pytest.raises(ValueError, match=r'command was a .* and is b '):
        made(tmp_path / 'run', 'b', config=dict(lr=0.1, steps=[1, 2])).run()
    with pytest.raises(ValueError, match=r'config\.lr was 0\.1 and is 0\.2\. Choose'):
        made(tmp_path / 'run', 'a', config=dict(lr=0.2, steps=[1, 2])).run()
    assert replace(first, facts=dict(config=dict(lr=0.1, steps=(1, 2)))).is_done


def test_classes_and_functions_are_compared_by_name(
    ran: list[list[str]], tmp_path: Path
) -> None:
    """As configs with ``read_base`` have them."""

    def functions() -> list[Any]:
        def collate() -> None: ...

        return [collate, Path]

    first = made(tmp_path / 'run', config=functions())
    first.run()
    assert replace(first, facts=dict(config=functions())).is_done
    assert 'pathlib.Path' in (tmp_path / 'run' / MARK).read_text()


def test_a_place_may_be_written_in_any_way(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative or absolute, and the folder of all runs may move with its teacher."""
    (tmp_path / 'data').mkdir()
    (tmp_path / 'all' / 'teacher').mkdir(parents=True)
    monkeypatch.chdir(tmp_path)

    def words(out: Path, data: str) -> Training:
        given = ['--data-root', data, '--teacher', str(out / 'teacher' / 'a.pth')]
        return made(out / 'kd_seed0', *given)

    words(Path('all'), 'data').run()
    assert words(tmp_path / 'all', str(tmp_path / 'data')).is_done
    Path('all').rename('moved')
    assert words(Path('moved'), 'data').is_done
    other = tmp_path / 'other'
    other.mkdir()
    with pytest.raises(ValueError, match='another command'):
        assert words(Path('moved'), str(other)).is_done


def test_names_of_methods_are_no_places(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = made(tmp_path / 'run', '--method', 'kd', 'dkd')
    first.run()
    Path('kd').mkdir()
    assert first.is_done


def test_a_failure_is_named_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / 'train.py'
    script.write_text("print('out of memory'); raise SystemExit(3)")
    failing = Training('one_head', 1, (str(script),), tmp_path / 'other')
    with pytest.raises(RuntimeError, match=r'failed, see .*output\.txt(.|\n)*out of'):
        failing.run()
    assert not failing.is_done


def test_one_that_was_stopped_is_not_done(
    ran: list[list[str]], tmp_path: Path
) -> None:
    """It exits with 0, as a cluster wants it to, and is resumed by the next call."""
    stopped = made(tmp_path / 'run')
    write_session(tmp_path / 'run', text=f'INFO - {STOPPED} after 3 iterations')
    (tmp_path / 'run' / 'output.txt').write_text('stopped\n')
    with pytest.raises(RuntimeError, match='was stopped, see'):
        stopped.run()
    assert not stopped.is_done
    write_session(tmp_path / 'run', name='20260101_000001', text='the rest')
    stopped.run()
    assert stopped.is_done


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
def test_those_that_may_fail_are_settled_once_they_have(
    tmp_path: Path, jobs: int, capsys: pytest.CaptureFixture[str]
) -> None:
    trainings = scripts(tmp_path, '1010')
    taken: list[Training] = []
    train_all(trainings, jobs, then=taken.append, may_fail=True)
    assert {each.seed for each in taken} == {1, 3}
    assert [each.has_failed for each in trainings] == [True, False, True, False]
    capsys.readouterr()
    train_all(trainings, jobs, may_fail=True)
    assert capsys.readouterr().out == '0 of 4 trainings to do\n'
    with pytest.raises(RuntimeError, match='failed, see'):
        train_all(trainings, jobs)


def test_one_that_a_signal_ended_has_not_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    each = made(tmp_path / 'kd')
    for code in (-signal.SIGKILL, 128 + signal.SIGTERM):
        monkeypatch.setattr(training, 'call', lambda *_, code=code: code)
        with pytest.raises(RuntimeError, match='failed, see'):
            train_all([each], 1, may_fail=True)
        assert not each.has_failed


def test_another_training_in_its_folder_has_not_failed(
    tmp_path: Path, ran: list[list[str]]
) -> None:
    failing = made(tmp_path / 'kd', 'fails', lr=1)
    train_all([failing], 1, may_fail=True)
    assert failing.has_failed
    assert not made(tmp_path / 'kd', 'fails', lr=2).has_failed


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
from mmkd.runs.training import Training, train_all
place = Path({str(tmp_path)!r})
train_all([
    Training('kd', seed, ({str(sleeper)!r}, str(place / f'pid{{seed}}')), place / 'run')
    for seed in range(2)
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


def test_the_mark_names_what_it_was_done_with(
    ran: list[list[str]], tmp_path: Path
) -> None:
    made(tmp_path / 'run', '--method', 'kd', config=dict(lr=0.1)).run()
    mark: Mapping[str, Any] = json.loads((tmp_path / 'run' / MARK).read_text())
    assert mark == dict(command='--method kd --work-dir run', config=dict(lr=0.1))


@pytest.mark.parametrize(
    ('minutes', 'words'), [(0.2, '1 min'), (89.4, '89 min'), (150.0, '2.5 h')]
)
def test_durations_in_words(minutes: float, words: str) -> None:
    assert in_hours(minutes) == words
