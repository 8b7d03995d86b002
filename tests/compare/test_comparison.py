"""Compared runs differ only in their methods."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from mmkd.compare import comparison, facts
from mmkd.compare.comparison import Comparison

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
    for module in (comparison, facts):
        monkeypatch.setattr(module, 'read_manifest', lambda folder: recorded)
    alone, taught, *_ = replace(compared, recorded=tmp_path / 'r').trainings()
    views = ' '.join(['--views', '4', '--view-seed', '3'])
    assert views in ' '.join(alone.command)
    assert f'--recorded {tmp_path / "r"}' in ' '.join(taught.command)


def test_one_record_serves_all_methods(compared: Comparison, tmp_path: Path) -> None:
    """Its command has no --amp."""
    wanted = replace(
        compared,
        methods=['none', 'kd', 'kd+dkd'],
        options=['--amp', '--no-teacher-check'],
        settings=['dkd.warmup=3'],
        changes=['train_dataloader.batch_size=8'],
    )
    made = wanted.recording(tmp_path / 'r')
    assert made.command == (
        *('tools/record.py', PAIR, '--method', 'kd', 'dkd'),
        *('--out', str(tmp_path / 'r'), '--teacher', 'teacher.pth'),
        *('--no-teacher-check', '--set', 'dkd.warmup=3'),
        *('--cfg-options', 'train_dataloader.batch_size=8'),
    )


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


def test_settings_go_to_the_methods_that_have_them(compared: Comparison) -> None:
    wanted = replace(
        compared,
        methods=['none', 'dhkd', 'dkd', 'dhkd+dkd'],
        settings=['dual_head.weight=0.5', 'dkd.warmup=10'],
        lengths={},
    )
    given = {}
    for each in wanted.trainings()[:4]:
        words = list(each.command)
        end = words.index('--cfg-options')
        begin = words.index('--set') + 1 if '--set' in words else end
        given[each.name] = words[begin:end]
    assert given == {
        'none': [],
        'dhkd': ['dual_head.weight=0.5'],
        'dkd': ['dkd.warmup=10'],
        'dhkd+dkd': ['dual_head.weight=0.5', 'dkd.warmup=10'],
    }


def test_times_that_are_set_are_not_scaled(compared: Comparison) -> None:
    """Those of the pair's config are: 20 of 240 epochs are 2 of 24."""
    _, taught, *_ = compared.trainings()
    assert 'model.methods.dkd.warmup=2' in taught.command
    _, taught, *_ = replace(compared, settings=['dkd.warmup=10']).trainings()
    assert 'dkd.warmup=10' in taught.command
    assert not any('model.methods.dkd.warmup' in word for word in taught.command)
    chosen = {'dhkd+dkd': {'dkd.warmup': '5'}}
    _, taught, *_ = replace(compared, chosen=chosen).trainings()
    assert not any('model.methods.dkd.warmup' in word for word in taught.command)


def test_changes_are_the_last_word(compared: Comparison) -> None:
    changes = ['param_scheduler.milestones=[3,4]', 'train_cfg.max_epochs=5']
    for each in replace(compared, changes=changes).trainings():
        assert each.command.count('--cfg-options') == 1
        assert list(each.command[-2:]) == changes
    cfg = replace(compared, changes=changes).config_of('none')
    assert cfg.train_cfg.max_epochs == 5
    assert compared.config_of('none').train_cfg.max_epochs == 240


@pytest.mark.parametrize(
    ('changed', 'message'),
    [
        (dict(methods=['none', 'dhdk']), "unknown 'dhdk'.*dhkd"),
        (dict(settings=['dkd.weight=2', 'kd.weight=1']), 'kd.weight=1: no method that'),
        (dict(changes=['randomness.seed=3']), 'seed: the comparison sets that itself'),
        (dict(changes=['val_dataloader=None']), 'has no val_dataloader'),
        (dict(lengths={'none': ('iterations', 9)}), r'give --epochs'),
    ],
)
def test_mistakes_are_found_before_anything_is_trained(
    changed: dict[str, Any], message: str, compared: Comparison
) -> None:
    compared.check()
    with pytest.raises(ValueError, match=message):
        replace(compared, **changed).check()
