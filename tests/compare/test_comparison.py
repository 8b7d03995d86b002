"""Compared runs differ only in their methods."""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest

from mmkd.compare import comparison
from mmkd.compare.comparison import Comparison
from mmkd.runs.training import Training

PAIR = 'resnet56_resnet20_cifar100'


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    return Comparison(
        PAIR,
        ['none', 'dhkd+dkd'],
        seeds=2,
        out=tmp_path,
        tools=Path('tools'),
        options=['--amp'],
        teaching=['--teacher', 'teacher.pth'],
        lengths=dict.fromkeys(['none', 'dhkd+dkd'], ('epochs', 24)),
    )


def test_runs_of_a_seed_differ_in_method_and_folder_alone(compared: Comparison) -> None:
    alone, taught, *others = compared.trainings()
    assert [(each.name, each.seed) for each in others] == [('none', 1), ('dhkd+dkd', 1)]
    taught_more = ['--teacher', 'teacher.pth']
    at = taught.command.index('--teacher')
    left = [*taught.command[:at], *taught.command[at + len(taught_more) :]]
    left[left.index('dhkd') : left.index('dkd') + 1] = ['none']
    left.remove('model.methods.dkd.warmup=2')
    folder = left.index('--work-dir') + 1
    assert left[folder].endswith('dhkd+dkd_seed0')
    left[folder] = str(alone.work_dir)
    assert left == list(alone.command)
    assert 'randomness.seed=0' in left
    assert 'train_cfg.max_epochs=24' in left


def test_all_see_the_views_of_a_record(
    compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = mock.Mock(views=dict(seed=3, count=4))
    monkeypatch.setattr(comparison, 'read_manifest', lambda folder: recorded)
    alone, taught, *_ = replace(compared, recorded=tmp_path / 'r').trainings()
    views = ' '.join(['--views', '4', '--view-seed', '3'])
    assert views in ' '.join(alone.command)
    assert f'--recorded {tmp_path / "r"}' in ' '.join(taught.command)


def test_one_record_serves_all_methods(compared: Comparison, tmp_path: Path) -> None:
    made = replace(compared, methods=['none', 'kd', 'kd+dkd']).recording(tmp_path / 'r')
    assert made.command[:5] == ('tools/record.py', PAIR, '--method', 'kd', 'dkd')


def test_the_lengths_of_equal_minutes_are_kept(
    compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def timed(training: Training, minutes: float, unit: str) -> int:
        tried.append((training.work_dir, training.command, minutes, unit))
        return 12 if training.name == 'none' else 7

    monkeypatch.setattr(comparison, 'timed_length', timed)
    for _ in range(2):
        lengths = compared.lasting(5)
        assert lengths == {'none': ('epochs', 12), 'dhkd+dkd': ('epochs', 7)}
    assert [each[2:] for each in tried] == [(5, 'epochs')] * 2
    folder, command, *_ = tried[1]
    assert folder == tmp_path / 'trials' / 'dhkd+dkd'
    assert str(folder) in command
    assert not any('seed0' in word for word in command)
    with pytest.raises(ValueError, match='lengths for 5 minutes, not for 6'):
        compared.lasting(6)


def test_chosen_settings_reach_the_methods_that_have_them(compared: Comparison) -> None:
    chosen = {
        'none': {'optim_wrapper.optimizer.lr': '0.2'},
        'dhkd+dkd': {'dual_head.weight': '0.5', 'optim_wrapper.optimizer.lr': '0.1'},
    }
    alone, taught, *_ = replace(compared, chosen=chosen).trainings()
    assert '--set' not in alone.command
    assert alone.command[-1] == 'optim_wrapper.optimizer.lr=0.2'
    place = taught.command.index('--set')
    assert taught.command[place : place + 3] == (
        *('--set', 'dual_head.weight=0.5', '--cfg-options'),
    )
    assert taught.command[-1] == 'optim_wrapper.optimizer.lr=0.1'


def test_a_teacher_is_trained_as_its_config_says(
    compared: Comparison, tmp_path: Path
) -> None:
    made = replace(
        compared, pair='resnet20_resnet8_tin100', data=['--data-root', 'data']
    ).teachers_training()
    assert made.command[1].endswith('teachers/resnet20_tin100.py')
    assert made.command[-4:] == (
        *('--data-root', 'data', '--cfg-options', 'randomness.seed=0'),
    )
    assert '--amp' not in made.command
    child = tmp_path / 'child.py'
    child.write_text(
        "_base_ = 'mmkd::_base_/pairs/resnet20_resnet8_tin100.py'\n"
        "model = dict(teacher=dict(config=dict(\n"
        "    _delete_=True, type='ImageClassifier')))"
    )
    with pytest.raises(ValueError, match=r'the teacher of .* give --teacher'):
        replace(compared, pair=str(child)).teachers_training()
