"""Content that a comparison's trainings depend on."""

from dataclasses import replace
from pathlib import Path

import pytest

from mmkd.compare import comparison, facts
from mmkd.compare.comparison import Comparison

PAIR = 'resnet56_resnet20_cifar100'


@pytest.fixture
def compared(tmp_path: Path) -> Comparison:
    return Comparison(
        PAIR, ['none', 'dhkd'], seeds=1, out=tmp_path, tools=Path('tools')
    )


def test_the_config_and_the_teachers_file_are_part_of_a_run(
    compared: Comparison, tmp_path: Path
) -> None:
    pair, teacher = tmp_path / 'pair.py', tmp_path / 'teacher.pth'
    found = []
    for content in 'ab':
        base = f'mmkd::_base_/pairs/{PAIR}.py'
        pair.write_text(f"_base_ = '{base}'\nlog_level = '{content}'")
        teacher.write_text(content)
        comparison._read.cache_clear()
        facts._hashed.cache_clear()
        wanted = replace(
            compared, pair=str(pair), teaching=['--teacher', str(teacher)], lengths={}
        )
        found.append([each.facts for each in wanted.trainings()[:2]])
    (alone, taught), (other_alone, other_taught) = found
    assert alone['config']['log_level'] == 'a'
    assert other_alone['config']['log_level'] == 'b'
    place = 'teacher: SHA-256 of the file'
    assert place not in alone
    assert taught[place] != other_taught[place]


@pytest.mark.parametrize('way', ['home', 'change'])
def test_the_teachers_file_counts_however_it_is_named(
    compared: Comparison, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    file, pair = tmp_path / 'teacher.pth', tmp_path / 'pair.py'
    given = '~/teacher.pth' if way == 'home' else 'other.pth'
    pair.write_text(
        f"_base_ = 'mmkd::_base_/pairs/{PAIR}.py'\n"
        f"model = dict(teacher=dict(checkpoint='{given}'))"
    )
    wanted = replace(compared, pair=str(pair), teaching=[], lengths={})
    if way == 'change':
        wanted = replace(wanted, changes=[f'model.teacher.checkpoint={file}'])
    found = []
    for content in 'ab':
        file.write_text(content)
        facts._hashed.cache_clear()
        found.append(wanted.training('dhkd', 0, tmp_path / 'run'))
    first, other = found
    assert 'SHA-256' in other.told(first.identity)
    file.unlink()
    assert not wanted.training('dhkd', 0, tmp_path / 'run').told(first.identity)


def test_files_of_student_and_teacher_are_part_of_a_run(
    compared: Comparison, tmp_path: Path
) -> None:
    pair = tmp_path / 'pair.py'
    for part in ('student', 'teacher'):
        (tmp_path / f'{part}.py').write_text("model = dict(type='A')")
    pair.write_text(
        f"_base_ = 'mmkd::_base_/pairs/{PAIR}.py'\n"
        f"model = dict(student='{tmp_path}/student.py',\n"
        f"    teacher=dict(config='{tmp_path}/teacher.py'))"
    )
    wanted = replace(compared, pair=str(pair), teaching=[], lengths={})
    first = wanted.training('dhkd', 0, tmp_path / 'run')
    for part in ('student', 'teacher'):
        (tmp_path / f'{part}.py').write_text("model = dict(type='B')")
        facts._model.cache_clear()
        other = wanted.training('dhkd', 0, tmp_path / 'run')
        assert f'{part}.type was A and is B' in other.told(first.identity)
