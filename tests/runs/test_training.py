"""A training in a process of its own."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import write_session
from small_trainings import made

from mmkd.resilience.resume import LAST
from mmkd.resilience.stop_signal import STOPPED
from mmkd.resilience.work_dir import RECORD
from mmkd.runs import training
from mmkd.runs.training import DIVERGED, MARK, Training

HOLD = """
import sys
from mmkd.resilience.files import locked
with open(sys.argv[1], 'a+') as file:
    print('held' if locked(file) else 'not held', flush=True)
    sys.stdin.read()
"""

CODES = {'fails': 1, 'diverges': DIVERGED}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were run, without running them; some fail, see ``CODES``."""
    commands = []

    def call(command: Sequence[str], output: Any, environment: Any) -> int:
        commands.append(list(command[1:]))
        return next((code for name, code in CODES.items() if name in command), 0)

    monkeypatch.setattr(training, 'call', call)
    return commands


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


def test_another_command_does_not_go_on_from_a_checkpoint(
    ran: list[list[str]], tmp_path: Path
) -> None:
    """It would count as the other's result; a length alone does not keep it away."""
    stopped = made(tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=4')
    write_session(tmp_path / 'run', text=f'INFO - {STOPPED} after 3 iterations')
    with pytest.raises(RuntimeError, match='was stopped'):
        stopped.run()
    longer = made(tmp_path / 'run', '--cfg-options', 'train_cfg.max_epochs=10')
    assert not longer.is_done
    (tmp_path / 'run' / LAST).write_text('epoch_3.pth')
    with pytest.raises(ValueError, match=r'max_epochs=4 .* is .*max_epochs=10'):
        longer.run()
    assert len(ran) == 1
    assert not stopped.is_done


def test_what_can_no_longer_be_found_out_is_not_compared(
    ran: list[list[str]], tmp_path: Path
) -> None:
    made(tmp_path / 'run', teacher='abc', lr=1).run()
    assert made(tmp_path / 'run', teacher=None, lr=1).is_done
    with pytest.raises(ValueError, match='lr was 1 and is 2'):
        assert made(tmp_path / 'run', teacher=None, lr=2).is_done
    with pytest.raises(ValueError, match='teacher was abc and is abd'):
        assert made(tmp_path / 'run', teacher='abd', lr=1).is_done
    made(tmp_path / 'other', teacher=None).run()
    assert made(tmp_path / 'other', teacher='abc').is_done
    diverging = made(tmp_path / 'kd', 'diverges', teacher='abc')
    with pytest.raises(RuntimeError, match='failed'):
        diverging.run()
    assert made(tmp_path / 'kd', 'diverges', teacher=None).has_diverged


def test_who_is_turned_away_leaves_no_mark(
    ran: list[list[str]], tmp_path: Path
) -> None:
    """The training that has the folder goes on from its checkpoints."""
    first, other = made(tmp_path / 'run', 'a'), made(tmp_path / 'run', 'fails')
    write_session(tmp_path / 'run', text=f'INFO - {STOPPED} after 3 iterations')
    with pytest.raises(RuntimeError, match='was stopped'):
        first.run()
    holder = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path / 'run' / RECORD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout.readline() == 'held\n'
    with pytest.raises(RuntimeError, match='failed'):
        other.run()
    holder.communicate('')
    (tmp_path / 'run' / LAST).write_text('epoch_3.pth')
    assert not first.is_done
    with pytest.raises(ValueError, match='another command'):
        assert other.is_done


def test_a_home_folder_is_where_it_is(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--teacher=~/a.pth`` reaches the command as it is."""
    monkeypatch.chdir(tmp_path)
    made(tmp_path / 'run', '--teacher', '~/a.pth').run()
    monkeypatch.chdir('/')
    assert made(tmp_path / 'run', '--teacher', '~/a.pth').is_done
    home = str(Path.home() / 'a.pth')
    assert made(tmp_path / 'run', '--teacher', home).is_done


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
    Path('data').rename('elsewhere')
    assert words(Path('moved'), 'data').is_done
    other = tmp_path / 'other'
    other.mkdir()
    with pytest.raises(ValueError, match='another command'):
        assert words(Path('moved'), str(other)).is_done


def test_a_file_next_to_the_caller_is_a_place_without_a_folder_too(
    ran: list[list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'pair.py').touch()
    monkeypatch.chdir(tmp_path)
    made(tmp_path / 'run', 'pair.py').run()
    monkeypatch.chdir('/')
    assert made(tmp_path / 'run', str(tmp_path / 'pair.py')).is_done


def test_words_may_be_longer_than_a_name(
    ran: list[list[str]], tmp_path: Path
) -> None:
    classes = 'model.teacher.classes=[' + 150 * '"a.b",' + ']'
    first = made(tmp_path / 'run', '--cfg-options', classes)
    first.run()
    assert first.is_done


def test_a_home_moves_with_all_that_is_in_it(
    ran: list[list[str]], tmp_path: Path
) -> None:
    def trial(home: Path) -> Training:
        words = '--teacher', str(home / 'teacher' / 'a.pth')
        return replace(made(home / 'tune' / 'kd', *words), home=home)

    (tmp_path / 'all' / 'teacher').mkdir(parents=True)
    (tmp_path / 'all' / 'teacher' / 'a.pth').touch()
    trial(tmp_path / 'all').run()
    (tmp_path / 'all').rename(tmp_path / 'moved')
    assert trial(tmp_path / 'moved').is_done


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


def test_only_what_would_end_the_same_has_diverged(
    tmp_path: Path, ran: list[list[str]]
) -> None:
    """Not another training in the folder, and none that failed for another reason."""
    diverging = made(tmp_path / 'kd', 'diverges', lr=1)
    with pytest.raises(RuntimeError, match='failed, see'):
        diverging.run()
    assert diverging.has_diverged
    assert not made(tmp_path / 'kd', 'diverges', lr=2).has_diverged
    failing = made(tmp_path / 'dkd', 'fails')
    with pytest.raises(RuntimeError, match='failed, see'):
        failing.run()
    assert not failing.has_diverged


def test_the_mark_names_what_it_was_done_with(
    ran: list[list[str]], tmp_path: Path
) -> None:
    made(tmp_path / 'run', '--method', 'kd', config=dict(lr=0.1)).run()
    mark: Mapping[str, Any] = json.loads((tmp_path / 'run' / MARK).read_text())
    assert mark == dict(command='--method kd --work-dir run', config=dict(lr=0.1))
