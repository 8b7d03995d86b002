import re
from argparse import ArgumentParser, Namespace
from pathlib import Path
from unittest import mock

import pytest
from mmengine.config import Config

from mmkd.cli import command_line
from mmkd.cli.command_line import (
    KeyValueWords,
    launch,
    parse_with_common_options,
    set_work_dir,
)


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        ({}, 'work_dirs/pair'),
        (dict(method=['none']), 'work_dirs/pair_none'),
        (dict(method=['dhkd', 'kd']), 'work_dirs/pair_dhkd+kd'),
        (dict(method=['dhkd'], work_dir='own'), 'own'),
    ],
)
def test_every_experiment_has_a_folder(given: dict, expected: str) -> None:
    cfg = Config({})
    defaults = dict(config='configs/pair.py', work_dir=None)
    set_work_dir(cfg, Namespace(**{**defaults, **given}))
    assert cfg.work_dir == expected


def launched(
    error: BaseException, monkeypatch: pytest.MonkeyPatch, cfg: Config
) -> None:
    runner = mock.Mock()
    runner.train.side_effect = runner.test.side_effect = error
    monkeypatch.setattr(command_line.Runner, 'from_cfg', lambda _: runner)
    launch(cfg, 'train')


def test_an_interrupted_training_says_how_to_go_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cfg = Config(dict(work_dir=str(tmp_path)))
    with pytest.raises(SystemExit) as end:
        launched(KeyboardInterrupt(), monkeypatch, cfg)
    assert end.value.code == 130
    assert capfd.readouterr().err == (
        'Interrupted. There is no checkpoint yet: run the same command to restart.\n'
    )
    (tmp_path / 'last_checkpoint').write_text('a/iter_4.pth')
    with pytest.raises(SystemExit):
        launched(KeyboardInterrupt(), monkeypatch, cfg)
    assert capfd.readouterr().err == (
        'Interrupted. Run the same command with --resume to go on from a/iter_4.pth.\n'
    )
    with pytest.raises(RuntimeError, match=r'killed\. Run .* from a/iter_4\.pth'):
        launched(RuntimeError('DataLoader worker was killed.'), monkeypatch, cfg)
    with pytest.raises(RuntimeError, match=r'^out of memory$'):
        launched(RuntimeError('out of memory'), monkeypatch, cfg)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (['a.b=1', 'lr'], "--cfg-options takes KEY=VALUE, .*got 'lr'"),
        (['lr', '=', '1'], "got 'lr'"),
        (['=1'], "got '=1'"),
        (['a..b=1'], "got 'a..b=1'"),
        (['a=(1,2'], '--cfg-options: Imbalanced brackets'),
        (['a=[dict(b=1,c=2)]'], r"--cfg-options: .*\[dict.* A value is a number"),
    ],
)
def test_options_that_are_none(
    options: list[str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr('sys.argv', ['tool', '--cfg-options', *options])
    with pytest.raises(SystemExit):
        parse_with_common_options(ArgumentParser(), 'a=1')
    assert re.search(message, capsys.readouterr().err)


def test_options_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ['--cfg-options', 'a.b=1', 'c=x=y', 'd=[1,2]']
    monkeypatch.setattr('sys.argv', ['tool', *options])
    args = parse_with_common_options(ArgumentParser(), 'a=1')
    assert args.cfg_options == {'a.b': 1, 'c': 'x=y', 'd': [1, 2]}


def test_words_are_checked_and_kept(capsys: pytest.CaptureFixture[str]) -> None:
    """Of all occurrences of an option, as where their values are used."""
    parser = ArgumentParser()
    parser.add_argument(
        '--set', nargs='+', default=[], action=KeyValueWords, metavar='KEY=VALUE'
    )
    given = ['--set', 'a.b=[1,2]', 'c=x=y', '--set', 'd=3']
    assert parser.parse_args(given).set == ['a.b=[1,2]', 'c=x=y', 'd=3']
    assert parser.parse_args([]).set == []
    for word in ('a', '=1', 'a..b=1', 'a=[1,(2'):
        with pytest.raises(SystemExit):
            parser.parse_args(['--set', word])
        assert '--set' in capsys.readouterr().err.splitlines()[-1]
