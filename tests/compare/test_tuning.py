"""Settings chosen among trainings that are made by hand."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_runs import made_run

from mmkd.compare.comparison import Comparison
from mmkd.compare.ranges import written
from mmkd.compare.tuning import Tuning
from mmkd.runs import training

PAIR = 'resnet20_resnet8_tin100'
RATE = 'optim_wrapper.optimizer.lr'
RANGES = {RATE: ['0.1', '0.2'], 'kd.weight': ['1', '2']}


@pytest.fixture
def tuning(tmp_path: Path) -> Tuning:
    wanted = Comparison(
        PAIR,
        ['none', 'kd'],
        seeds=2,
        out=tmp_path,
        tools=Path('tools'),
        changes=['train_dataloader.dataset.split=a', 'train_dataloader.batch_size=2'],
    )
    made = Tuning(wanted, tmp_path / 'pair.py', RANGES)
    made.wanted = replace(made.wanted, pair=PAIR)
    return made


def finish(
    tuning: Tuning,
    scores: dict[str, list[float | None]],
    more: Mapping[str, Any] | None = None,
) -> None:
    """Make the runs; those without a score have failed."""
    for method, values in scores.items():
        for each, score in zip(tuning.of(method), values, strict=True):
            if score is not None:
                made_run(each.work_dir, {100: score}, **(more or {}))
                each.run()


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, 'call', lambda command, output, environment: 0)


def test_folders_keep_their_settings(tuning: Tuning, tmp_path: Path) -> None:
    """Whatever other values there are."""
    names = [each.work_dir.name for each in tuning.of('kd')]
    assert f'kd_{RATE}=0.1_kd.weight=2' in names
    assert len(set(names)) == 4
    ranges = {RATE: ['0.05', '0.1', '0.2'], 'kd.weight': ['1', '2', '4']}
    wider = Tuning(tuning.wanted, tmp_path / 'pair.py', ranges)
    wider.wanted = tuning.wanted
    folders = {each.work_dir.name for each in wider.of('kd')}
    assert set(names) < folders


@pytest.mark.parametrize(
    ('key', 'changed', 'message'),
    [
        ('randomness.seed', {}, 'the comparison sets that itself'),
        ('work_dir', {}, 'the comparison sets that itself'),
        (RATE, dict(changes=[f'{RATE}=0.5']), f'--cfg-options has given {RATE} one'),
        ('kd.weight', dict(settings=['kd.weight=1']), '--set has given it one'),
        (
            'kd.weight',
            dict(changes=['model.methods.kd.weight=1']),
            r'given model\.methods\.kd\.weight one',
        ),
        (
            'dhkd.weight',
            dict(methods=['none', 'kd', 'dhkd+reviewkd']),
            "not 'dhkd'. Known: kd, dual_head, reviewkd",
        ),
    ],
)
def test_what_cannot_have_several_values_is_refused(
    key: str, changed: dict[str, Any], message: str, tuning: Tuning, tmp_path: Path
) -> None:
    wanted = replace(tuning.wanted, **{**dict(changes=[], settings=[]), **changed})
    ranges = {RATE: ['0.1', '0.2'], key: ['1', '2']}
    with pytest.raises(ValueError, match=f'^--tune {key}: .*{message}'):
        Tuning(wanted, tmp_path / 'pair.py', ranges)


def test_held_back_images_stay_so(tuning: Tuning) -> None:
    for each in tuning.trainings():
        assert 'train_dataloader.batch_size=2' in each.command
        assert not any('dataset.split' in word for word in each.command)


def test_one_that_fails_is_not_chosen(tuning: Tuning) -> None:
    finish(tuning, {'none': [1.0, 4.0, 2.0, None], 'kd': [None, 5.0, 6.0, None]})
    choices = tuning.choices()
    assert choices['none'].settings == tuning.settings['none'][1]
    assert choices['kd'].settings == {RATE: '0.2', 'kd.weight': '1'}
    assert list(choices['kd'].tried.values()) == [None, 5.0, 6.0, None]
    assert 'the best of 4 (6.00' in choices['kd'].words('kd', 10)
    assert '2 of which diverged' in choices['kd'].words('kd', 10)


@pytest.mark.parametrize(
    ('hook', 'best'), [({}, 6.0), (dict(save_best='mIoU', rule='less'), 5.0)]
)
def test_the_better_score_that_is_finite_is_chosen(
    tuning: Tuning, hook: dict[str, str], best: float
) -> None:
    hooks = dict(default_hooks=dict(checkpoint=dict(type='CheckpointHook', **hook)))
    scores = {'none': [1.0, 4.0, 2.0, 3.0], 'kd': [math.nan, 5.0, 6.0, 5.5]}
    finish(tuning, scores, hooks)
    choice = tuning.choices()['kd']
    assert choice.tried[written(choice.settings)] == best
    assert list(choice.tried.values()) == [None, 5.0, 6.0, 5.5]


def test_all_that_fail_are_an_error(tuning: Tuning) -> None:
    finish(tuning, {'none': [1.0, 4.0, 2.0, 3.0], 'kd': [None] * 4})
    with pytest.raises(ValueError, match='no training of kd has succeeded'):
        tuning.choices()
