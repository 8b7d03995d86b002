"""Images that a pipeline normalises for one of the two networks."""

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from mmkd.checks.normalisation import check_normalisation

NORMALIZE = dict(type='Normalize', mean=[1.0, 2.0, 3.0], std=[4.0] * 3, to_rgb=True)
OTHER = dict(NORMALIZE, mean=[0.0] * 3)
WITH, WITHOUT = [dict(type='LoadImageFromFile'), NORMALIZE], [dict(type='Resize')]


def data(*steps: Any) -> dict[str, Any]:
    return dict(dataset=dict(type='RepeatDataset', dataset=dict(pipeline=list(steps))))


def check(tmp_path: Path, own: list[Any], teachers: list[Any] | None) -> None:
    loader = {} if teachers is None else dict(test_dataloader=data(*teachers))
    Config(dict(model=dict(type='ResNet'), **loader)).dump(tmp_path / 'teacher.py')
    teacher = dict(config=str(tmp_path / 'teacher.py'))
    model = dict(student={}, teacher=teacher)
    check_normalisation(Config(dict(model=model, train_dataloader=data(*own))))


@pytest.mark.parametrize(
    ('own', 'teachers'),
    [
        (WITHOUT, WITHOUT),
        (WITH, WITH),
        ([dict(NORMALIZE, type='mmcv.Normalize', _scope_='mmseg')], WITH),
        ([dict(type='Normalize', mean=(1, 2, 3), std=(4, 4, 4))], WITH),
        ([dict(type='Compose', transforms=WITH)], WITH),
        (WITH, None),
    ],
)
def test_the_same_in_both(own: list[Any], teachers: list[Any], tmp_path: Path) -> None:
    check(tmp_path, own, teachers)


@pytest.mark.parametrize(
    ('own', 'teachers', 'message'),
    [
        (WITH, WITHOUT, r'has Normalize\(mean=\(1.0.*teacher.py, no Normalize'),
        (WITHOUT, WITH, r'has no Normalize and .*teacher.py, Normalize\(mean=\(1.0'),
        ([OTHER], WITH, r'has Normalize\(mean=\(0.0.*Normalize\(mean=\(1.0'),
        ([*WITH, NORMALIZE], WITH, r'has Normalize\(.*\) and Normalize\('),
        ([dict(type='Compose', transforms=WITH)], WITHOUT, r'has Normalize\(mean='),
    ],
)
def test_another_normalisation(
    own: list[Any], teachers: list[Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=f'the training pipeline {message}'):
        check(tmp_path, own, teachers)


@pytest.mark.parametrize('teacher', [None, dict(config=dict(type='ResNet'))])
def test_a_teacher_without_a_file(teacher: Any) -> None:
    model = dict(student={}, teacher=teacher)
    check_normalisation(Config(dict(model=model, train_dataloader=data(*WITH))))


def test_a_pipeline_around_a_data_set(tmp_path: Path) -> None:
    teacher = Config(dict(model=dict(type='ResNet'), val_dataloader=data(*WITH)))
    teacher.dump(tmp_path / 'teacher.py')
    model = dict(student={}, teacher=dict(config=str(tmp_path / 'teacher.py')))
    inner = dict(pipeline=WITHOUT)
    wrapped = dict(type='MultiImageMixDataset', dataset=inner, pipeline=WITH)
    for loader in (dict(dataset=wrapped), [dict(dataset=wrapped)]):
        check_normalisation(Config(dict(model=model, train_dataloader=loader)))


def test_each_data_set_counts(tmp_path: Path) -> None:
    teacher = Config(dict(model=dict(type='ResNet'), val_dataloader=data(*WITH)))
    teacher.dump(tmp_path / 'teacher.py')
    model = dict(student={}, teacher=dict(config=str(tmp_path / 'teacher.py')))
    sets = [dict(pipeline=WITH), dict(pipeline=WITHOUT)]
    loader = dict(dataset=dict(type='ConcatDataset', datasets=sets))
    with pytest.raises(ValueError, match='has no Normalize'):
        check_normalisation(Config(dict(model=model, train_dataloader=loader)))
