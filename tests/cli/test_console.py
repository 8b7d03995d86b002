"""The console shows what matters to users, the log file has everything."""

import logging
import sys
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.logging import MMLogger, print_log
from mmengine.runner import Runner
from tiny_trainings import distiller, runner_of, tiny

from mmkd.cli.console import console, ending_in_words

__all__ = ['distiller', 'runner_of', 'tiny']


@pytest.fixture(autouse=True)
def own_loggers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Later log records must not go to this test's console."""
    monkeypatch.setattr(MMLogger, '_instance_dict', OrderedDict())


def text_log(folder: Path) -> str:
    [log] = folder.rglob('*.log')
    return log.read_text()


def test_what_nobody_reads_in_a_console_stands_in_the_file(
    distiller: Any,
    runner_of: Callable[..., Runner],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console():
        warnings.warn('before there is a file', stacklevel=1)
        runner = runner_of(distiller, log_level='INFO')
        warnings.warn('after that', stacklevel=1)
        print_log('"FileClient" will be deprecated in future', 'current', 30)
        print_log('the teacher is worse than the student', 'current', 30)
        runner.train()

    shown = capsys.readouterr()
    assert shown.err == ''
    file = text_log(tmp_path)
    for text in (
        'System environment',
        'Hooks will be executed',
        'before there is a file',
        'after that',
        'FileClient',
    ):
        assert text in file
        assert text not in shown.out
    for text in ('the teacher is worse', 'Epoch(train)', 'environment and library'):
        assert text in file
        assert text in shown.out
    assert len(shown.out.partition('Epoch(train)')[0].splitlines()) < 10


def test_it_leaves_everything_as_it_was(tmp_path: Path) -> None:
    logger = logging.getLogger('py.warnings')
    before = MMLogger.__init__, warnings.showwarning, list(logger.handlers)
    with pytest.raises(KeyError), console():
        raise KeyError
    assert (MMLogger.__init__, warnings.showwarning, logger.handlers) == before
    with pytest.warns(UserWarning, match='again'):
        warnings.warn('again', stacklevel=1)


def test_an_interruption_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, 'argv', ['mmkd compare', 'pair'])
    with (
        pytest.raises(SystemExit) as end,
        ending_in_words(resume='Run the same command to go on.'),
    ):
        raise KeyboardInterrupt
    assert end.value.code == 130
    told = capsys.readouterr().err
    assert told == 'mmkd compare: interrupted. Run the same command to go on.\n'


def test_errors_are_shown_wherever_they_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with console():
        name = f'{sys._getframe().f_code.co_name}'
        logger = MMLogger.get_instance(name, log_file=str(tmp_path / 'log'))
        logger.error('"FileClient" will be deprecated: no such file')
    assert 'no such file' in capsys.readouterr().out
