"""Equal minutes, and the minutes of a whole comparison."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mmkd.compare import comparison, timing
from mmkd.compare.comparison import Comparison
from mmkd.compare.timing import SAVED, durations, lasting, teachers_duration
from mmkd.runs.training import Training

PAIR = 'resnet56_resnet20_cifar100'
METHODS = ['none', 'dhkd+dkd']


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    return Comparison(PAIR, METHODS, seeds=2, out=tmp_path, tools=Path('tools'))


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Training, str, int | None]]:
    """Trials, of which an epoch takes 0.4 minutes alone and 0.9 with methods."""
    found = []

    def timed(training: Training, unit: str, threads: int | None) -> float:
        found.append((training, unit, threads))
        return 0.4 if training.name == 'none' else 0.9

    monkeypatch.setattr(timing, 'minutes_of_one', timed)
    return found


def test_the_lengths_of_equal_minutes_are_kept(
    compared: Comparison,
    tried: list[tuple[Training, str, int | None]],
    tmp_path: Path,
) -> None:
    for _ in range(2):
        lengths = lasting(compared, 4.5, threads=1)
        assert lengths == {'none': ('epochs', 11), 'dhkd+dkd': ('epochs', 5)}
    assert [each[0].name for each in tried] == [*METHODS, *METHODS[::-1], *METHODS]
    assert {each[1:] for each in tried} == {('epochs', 1)}
    trial = tried[1][0]
    assert trial.work_dir == tmp_path / 'trials' / 'dhkd+dkd'
    assert str(trial.work_dir) in trial.command
    with pytest.raises(ValueError, match=r'lengths for 4\.5 minutes, not for 6'):
        lasting(compared, 6)
    with pytest.raises(ValueError, match=r'length of none .*command was .*--amp'):
        lasting(replace(compared, options=['--amp']), 4.5)
    pair = tmp_path / 'pair.py'
    pair.write_text(f"_base_ = 'mmkd::_base_/pairs/{PAIR}.py'\n")
    own = replace(compared, pair=str(pair), out=tmp_path / 'own')
    lasting(own, 4.5)
    with pair.open('a') as file:
        file.write('train_dataloader = dict(batch_size=32)\n')
    comparison._read.cache_clear()
    with pytest.raises(ValueError, match=r'\.train_dataloader\.batch_size was 64'):
        lasting(own, 4.5)


def test_after_a_kill_the_other_methods_follow(
    compared: Comparison, tried: list[tuple[Training, str, int | None]]
) -> None:
    lasting(replace(compared, methods=METHODS[:1]), 4.5)
    assert set(lasting(compared, 4.5)) == set(METHODS)
    assert [each[0].name for each in tried] == ['none'] * 3 + ['dhkd+dkd'] * 3


def test_a_slow_moment_shortens_no_training(
    compared: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first trial of one and the last of the other take ten times as long."""
    trials = iter([4.0, 0.9, 0.9, 0.4, 0.4, 9.0])
    monkeypatch.setattr(timing, 'minutes_of_one', lambda *_: next(trials))
    lengths = lasting(compared, 4.5)
    assert lengths == {'none': ('epochs', 11), 'dhkd+dkd': ('epochs', 5)}


def test_turns_go_on_while_they_are_faster(
    compared: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machine becomes free from the third turn on; the fifth changes nothing."""
    turns = [(0.8, 1.8), (1.8, 0.8), (0.7, 1.8), (0.9, 0.4), (0.41, 0.89)]
    trials = iter([one for turn in turns for one in turn])
    monkeypatch.setattr(timing, 'minutes_of_one', lambda *_: next(trials))
    lengths = lasting(compared, 4.5)
    assert lengths == {'none': ('epochs', 11), 'dhkd+dkd': ('epochs', 5)}
    assert next(trials, None) is None


def test_turns_end(compared: Comparison, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though each of them is faster than the one before."""
    trials = iter(2.0**-turn for turn in range(100))
    monkeypatch.setattr(timing, 'minutes_of_one', lambda *_: next(trials))
    lasting(compared, 4.5)
    assert next(trials) == 2.0**-18


def test_whole_epochs_that_take_other_minutes_are_named(
    compared: Comparison,
    tried: list[tuple[Training, str, int | None]],
) -> None:
    """For 0.84 minutes two of 0.4 are near enough and one of 0.9; for 1.2 it is not."""
    with mock.patch('mmkd.compare.timing.print_log') as log:
        lasting(replace(compared, out=compared.out / 'near'), 0.84)
    assert all(each.args[0].startswith('Trials, turn ') for each in log.mock_calls)
    assert len(log.mock_calls) == min(timing.TURNS)
    told = log.mock_calls[1].args[0]
    assert told == 'Trials, turn 2: minutes per epoch: none 0.4, dhkd+dkd 0.9'
    with mock.patch('mmkd.compare.timing.print_log') as log:
        lasting(compared, 1.2)
    *_, told = log.mock_calls
    assert told.args[0].startswith('dhkd+dkd: 1 epoch takes 0.9 minutes, not 1.2.')


def test_an_epoch_must_fit(
    compared: Comparison,
    tried: list[tuple[Training, str, int | None]],
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match=r'dhkd\+dkd needs 0\.9 for one of its epochs'):
        lasting(compared, 0.4)
    kept = json.loads((tmp_path / SAVED).read_text())
    assert kept['epochs'] == {'none': 1}


@pytest.mark.parametrize(
    ('changed', 'epochs'),
    [
        (dict(lengths=dict.fromkeys(METHODS, ('epochs', 24))), 24),
        (dict(changes=['train_cfg.max_epochs=2']), 2),
        ({}, 240),
    ],
)
def test_minutes_are_those_of_the_whole_training(
    changed: dict[str, Any],
    epochs: int,
    compared: Comparison,
    tried: list[tuple[Training, str, int | None]],
) -> None:
    found = dict(durations(replace(compared, **changed)))
    assert found == pytest.approx({'none': epochs * 0.4, 'dhkd+dkd': epochs * 0.9})


def test_the_teachers_minutes_are_those_of_its_own_config(
    compared: Comparison,
    tried: list[tuple[Training, str, int | None]],
    tmp_path: Path,
) -> None:
    minutes, folder = teachers_duration(replace(compared, options=['--amp']))
    assert minutes == pytest.approx(240 * 0.9)
    [(trial, unit, _)] = tried
    assert (trial.work_dir, unit) == (folder, 'epochs')
    assert folder == tmp_path / 'trials' / 'teacher'
    assert 'resnet56_cifar100' in trial.command[1]
    assert '--amp' not in trial.command
