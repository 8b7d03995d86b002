from itertools import product
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from made_runs import STUDENT, made_run, settings

from mmkd.report import settings as report_settings
from mmkd.report.groups import baseline_of, group_runs, score_key
from mmkd.report.labels import ALONE
from mmkd.report.settings import described, differing, unequal
from mmkd.runs.scores import SCORES

KD = {'kd': dict(type='LogitsKD', weight=0.5)}


def test_runs_that_differ_in_their_seed_alone_are_one_group(tmp_path: Path) -> None:
    runs = [
        made_run(tmp_path / str(n), methods=m, seed=s)
        for n, (m, s) in enumerate([(KD, 1), (None, 0), (KD, 0), (None, 1)])
    ]
    groups = group_runs(runs)
    assert [group.label for group in groups] == [ALONE, 'kd']
    assert [[run.seed for run in group.runs] for group in groups] == [[0, 1], [0, 1]]
    assert baseline_of(groups[1], groups) is groups[0]
    assert baseline_of(groups[0], groups) is None


def test_settings_of_a_run_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not once for each other run."""
    flat = mock.Mock(wraps=report_settings._flat)
    runs = [made_run(tmp_path / str(n), methods=KD, length=n) for n in range(1, 4)]
    monkeypatch.setattr(report_settings, '_flat', flat)
    groups = group_runs(runs)
    for one, other in product(groups, groups):
        unequal(one.first, other.first)
    whole = [call for call in flat.call_args_list if call.args[1] == '']
    assert len(whole) == len(runs)


def test_what_differs_is_named_and_nothing_else(tmp_path: Path) -> None:
    lr = [dict(optimizer=dict(type='SGD', lr=rate)) for rate in (0.1, 0.2)]
    runs = [
        made_run(tmp_path / str(n), methods=KD, optim_wrapper=wrapper)
        for n, wrapper in enumerate(lr)
    ]
    groups = group_runs(runs)
    assert differing(runs) == {'optim_wrapper.optimizer.lr': [0.1, 0.2]}
    assert [group.label for group in groups] == [
        'kd (lr=0.1)',
        'kd (lr=0.2)',
    ]


@pytest.mark.parametrize(
    'change',
    [
        dict(data_preprocessor=dict(mean=[0.0], std=[1.0])),
        dict(load_from='pretrained.pth'),
        dict(val_dataloader=dict(dataset=dict(data_root='fog'))),
        dict(val_evaluator=dict(type='IoUMetric', ignore_index=0)),
    ],
)
def test_inputs_beginning_and_scoring_make_a_group(
    tmp_path: Path, change: dict[str, Any]
) -> None:
    runs = [made_run(tmp_path / 'a'), made_run(tmp_path / 'b', seed=1, **change)]
    assert len(group_runs(runs)) == 2


def test_workers_of_a_validation_make_no_group(tmp_path: Path) -> None:
    loaders = [dict(batch_size=1, num_workers=count) for count in (0, 4)]
    runs = [
        made_run(tmp_path / str(seed), seed=seed, val_dataloader=loader)
        for seed, loader in enumerate(loaders)
    ]
    assert len(group_runs(runs)) == 1


def test_a_preprocessor_is_the_same_wherever_it_is_set(tmp_path: Path) -> None:
    own: dict[str, Any] = dict(type='ClsDataPreprocessor', mean=[1.0], std=[2.0])
    inside = STUDENT | dict(data_preprocessor=own)
    top = own | dict(_scope_='mmpretrain')
    parts: list[dict[str, Any]] = [
        dict(student=inside),
        dict(data_preprocessor=own),
        # A model's own one replaces that of the top level,
        dict(student=inside, data_preprocessor=dict(mean=[9.0])),
        # and a student's is added to it.
        dict(student=inside, data_preprocessor=top, methods=KD),
        dict(
            student=STUDENT | dict(data_preprocessor=dict(mean=[1.0])),
            data_preprocessor=own | dict(mean=[9.0]),
            methods=KD,
        ),
    ]
    runs = [made_run(tmp_path / str(n), **each) for n, each in enumerate(parts)]
    assert [len(group.runs) for group in group_runs(runs)] == [3, 2]
    assert 'data_preprocessor.mean' not in differing(runs)


def test_what_is_told_of_any_run(tmp_path: Path) -> None:
    told = described([made_run(tmp_path)])
    assert told == {
        'student.type': ['ImageClassifier'],
        'student.backbone.type': ['ResNet'],
        'student.backbone.depth': [18],
        'train_cfg.max_iters': [100],
    }


def test_a_student_has_the_same_names_alone_and_taught(tmp_path: Path) -> None:
    ours = 'mmkd.DistillOptimWrapperConstructor'
    default = 'DefaultOptimWrapperConstructor'
    kept = dict(constructor=ours, paramwise_cfg=dict(constructor=default))
    decay = dict(constructor='LayerDecay')
    inside = dict(constructor=ours, paramwise_cfg=dict(constructor='LayerDecay'))
    for number, (alone, taught) in enumerate(((None, kept), (decay, inside))):
        same = [
            made_run(tmp_path / f'{number}a', optim_wrapper=alone),
            made_run(tmp_path / f'{number}b', methods=KD, optim_wrapper=taught),
        ]
        assert not [place for place in differing(same) if 'optim' in place]
    wrapper = dict(constructor=ours)
    runs = [
        made_run(tmp_path / 'a'),
        made_run(tmp_path / 'b', methods=KD, optim_wrapper=wrapper),
    ]
    assert {place.partition('.')[0] for place in differing(runs)} == {
        'methods',
        'teacher',
    }


def test_the_baseline_is_the_likest_of_the_same_network(tmp_path: Path) -> None:
    lr = [dict(optimizer=dict(lr=rate)) for rate in (0.1, 0.2)]
    runs = [
        made_run(tmp_path / 'slow', optim_wrapper=lr[0]),
        made_run(tmp_path / 'fast', optim_wrapper=lr[1]),
        made_run(tmp_path / 'teacher', model=dict(backbone=dict(type='ViT'))),
        made_run(tmp_path / 'kd', methods=KD, optim_wrapper=lr[1]),
    ]
    groups = {group.first.folder.name: group for group in group_runs(runs)}
    found = baseline_of(groups['kd'], list(groups.values()))
    assert found is groups['fast']
    assert groups['teacher'].label == 'teacher'


def loader(kind: str = 'CIFAR100', root: str = 'a', **others: Any) -> dict[str, Any]:
    return dict(dataset=dict(type=kind, data_root=root, **others))


def heads(count: int) -> dict[str, Any]:
    backbone = dict(type='ResNet', depth=18, num_classes=-1)
    return STUDENT | dict(backbone=backbone, head=dict(num_classes=count))


@pytest.mark.parametrize(
    'other',
    [
        dict(train_dataloader=loader('CIFAR10')),
        dict(train_dataloader=loader(root='b')),
        dict(val_dataloader=loader(root='b')),
        dict(val_dataloader=loader(ann_file='others.txt')),
        dict(student=heads(5)),
    ],
)
def test_a_baseline_has_the_same_data(tmp_path: Path, other: dict[str, Any]) -> None:
    loaders = dict(train_dataloader=loader(), val_dataloader=loader())
    same: dict[str, Any] = dict(loaders, student=heads(7))
    wrapped = dict(dataset=dict(type='RepeatDataset', **loader('mmpretrain.CIFAR100')))
    model = settings(KD, student=heads(5))['model'] | dict(num_classes=7)
    parts = same | dict(model=model, train_dataloader=wrapped)
    taught = made_run(tmp_path / 'taught', **parts)
    groups = group_runs([made_run(tmp_path / 'same', **same), taught])
    assert baseline_of(groups[1], groups) is groups[0]
    assert all(
        place.startswith('train_dataloader.dataset')
        for place in unequal(groups[0].first, taught)
    )
    groups = group_runs([made_run(tmp_path / 'other', **same | other), taught])
    assert baseline_of(groups[1], groups) is None


def test_hooks_of_a_distillation_do_not_set_it_apart(tmp_path: Path) -> None:
    hook = dict(type='mmkd.GradientConflictHook', interval=1)
    runs = [
        made_run(tmp_path / 'a', methods=KD),
        made_run(tmp_path / 'b', methods=KD, seed=1, custom_hooks=[hook]),
    ]
    assert len(group_runs(runs)) == 1


def test_bands(tmp_path: Path) -> None:
    [group] = group_runs(
        [
            made_run(tmp_path / 'a', {10: 1.0, 20: 2.0, 30: 9.0}, seed=0),
            made_run(tmp_path / 'b', {10: 3.0, 15: 8.0, 20: 4.0}, seed=1),
            made_run(tmp_path / 'c', {10: float('nan'), 20: 6.0}, seed=2),
        ]
    )
    # Not all runs have 15; all that got that far have 30.
    assert group.band(lambda run: run.score('mIoU')) == [
        (20, 4.0, 2.0, 6.0),
        (30, 9.0, 9.0, 9.0),
    ]
    assert group.scores('mIoU') == {0: 9.0, 1: 4.0, 2: 6.0}


@pytest.mark.parametrize('key', [*SCORES, 'coco/x'])
def test_the_score_that_leads(tmp_path: Path, key: str) -> None:
    run = made_run(tmp_path, {10: 1.0}, key=key)
    run.scalars.val |= {'time': {1: 1.0}, 'teacher/mIoU': {0: 1.0}}
    run.scalars.val |= {'collapse_nc1': {1: 1.0}}
    assert score_key([run]) == key
    del run.scalars.val[key]
    assert score_key([run]) is None


@pytest.mark.parametrize('key', SCORES)
def test_it_leads_whatever_is_logged_before_it(tmp_path: Path, key: str) -> None:
    run = made_run(tmp_path, {10: 1.0}, key='aAcc')
    run.scalars.val[key] = {10: 2.0}
    assert score_key([run]) == key


def test_runs_without_a_config_are_alike_to_no_other(tmp_path: Path) -> None:
    runs = [made_run(tmp_path / name, model=None, train_cfg=None) for name in 'ab']
    for run in runs:
        run.settings.clear()
    assert [group.label for group in group_runs(runs)] == ['a', 'b']
