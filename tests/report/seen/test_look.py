from pathlib import Path

import numpy as np
import pytest
import torch
from made_runs import made_run, save_student, street_parts
from tiny_models import Tiny

from mmkd.models.tally import Tally
from mmkd.report.groups import Group, group_runs
from mmkd.report.seen.answers import Answers
from mmkd.report.seen.classes import class_rows, signed
from mmkd.report.seen.confusions import confusions
from mmkd.report.seen.look import Asked, Look, look
from mmkd.report.seen.panels import chosen, panels
from mmkd.report.seen.sample import Sample
from mmkd.runs import read_run

KD = {'kd': dict(type='LogitsKD')}
CLASSES = ['ant', 'bee', 'cow', 'dog']


@pytest.fixture
def groups(tmp_path: Path, tiny: Tiny, streets: Path) -> list[Group]:
    """A student alone and a distilled one, on streets, with random weights."""
    teacher = tiny.teacher(tiny.segmentor(8, classes=19))
    parts = street_parts(tiny, streets) | dict(teacher=teacher)
    for number, (name, methods) in enumerate((('alone', None), ('kd', KD))):
        made_run(tmp_path / name, methods=methods, **parts)
        save_student(tmp_path / name, number)
    return group_runs([read_run(tmp_path / name) for name in ('alone', 'kd')])


def test_all_are_asked_about_the_same_images(groups: list[Group]) -> None:
    found = look(groups, 3)
    assert [each.label for each in found.asked] == ['teacher', 'student alone', 'kd']
    assert found.notes == []
    shown, colours = panels(found, found.sample.classes(19))
    assert len(shown) == 3
    assert [tile.caption for tile in shown[0].tiles] == [
        'image',
        'ground truth',
        'teacher',
        'student alone',
        'kd',
        'kd, changed',
    ]
    assert [colour.name for colour in colours] == ['road', 'sky']


def test_a_run_that_cannot_be_asked_is_named(
    groups: list[Group], tmp_path: Path
) -> None:
    (tmp_path / 'alone' / 'student.pth').write_bytes(b'broken')
    found = look(groups, 2)
    assert [each.label for each in found.asked] == ['teacher', 'kd']
    [note] = found.notes
    assert note.startswith(f'{tmp_path / "alone"}: CheckpointError: cannot read')


def test_without_the_teacher_the_students_are_asked(
    groups: list[Group], tmp_path: Path
) -> None:
    (tmp_path / 'teacher_1.pth').unlink()
    found = look(groups, 2)
    assert [each.label for each in found.asked] == ['student alone', 'kd']
    assert 'teacher_1.pth' in found.notes[0]


def test_where_nothing_is_compared_the_student_counts(groups: list[Group]) -> None:
    found = look(groups[1:], 4)
    teacher, student = found.asked
    teacher.first.right[:] = [0.0, 0.1, 0.2, 0.3]
    student.first.right[:] = [0.6, 0.7, 0.8, 0.9]
    shown, _ = panels(found, found.sample.classes(19))
    assert [panel.title.split()[-2] for panel in shown] == [
        '90.0',
        '80.0',
        '70.0',
        '60.0',
    ]
    assert shown[0].tiles[-1].caption == 'kd, wrong'


def test_without_data_there_is_nothing(groups: list[Group]) -> None:
    for group in groups:
        group.first.settings['val_dataloader']['dataset']['data_root'] = '/nowhere'
    found = look(groups, 2)
    assert found.sample is None
    assert len(found.notes) == 2
    assert '/nowhere' in found.notes[0]


def test_what_a_config_lacks_is_said(tmp_path: Path, tiny: Tiny) -> None:
    made_run(tmp_path, student=tiny.classifier(), default_scope='mmpretrain')
    save_student(tmp_path)
    [note] = look(group_runs([read_run(tmp_path)]), 1).notes
    assert 'has no validation set' in note
    made_run(tmp_path / 'a', model=None)
    (tmp_path / 'a' / 'student.pth').touch()
    [note] = look(group_runs([read_run(tmp_path / 'a')]), 1).notes
    assert 'has no model' in note


class Numbered:
    """Images as bright as their number."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, number: int) -> dict[str, object]:
        return dict(
            inputs=torch.full((3, 4, 4), 20 * number, dtype=torch.uint8),
            data_samples={},
        )


def answers(labels: list[int], predicted: list[int]) -> Answers:
    tally = Tally(len(CLASSES), mean_iou=False)
    tally.add(torch.tensor(labels), torch.tensor(predicted))
    right = [float(a == b) for a, b in zip(labels, predicted, strict=True)]
    return Answers(tally, right, labels, [np.array(p) for p in predicted])


LABELS = [0, 0, 0, 1, 1, 2, 2, 2]
ALONE = answers(LABELS, [1, 1, 1, 1, 1, 2, 2, 2])
TAUGHT = answers(LABELS, [0, 0, 1, 1, 1, 2, 1, 1])


@pytest.fixture
def images(tmp_path: Path) -> Look:
    runs = [made_run(tmp_path / 'a'), made_run(tmp_path / 'b', methods=KD)]
    alone, taught = group_runs(runs)
    asked = [Asked('alone', alone, [ALONE]), Asked('kd', taught, [TAUGHT])]
    return Look([], asked, Sample(Numbered(), range(8)))


def test_classes_from_helped_to_hurt(images: Look) -> None:
    rows, unfound = class_rows(images, CLASSES)
    assert [(row.name, row.change) for row in rows] == [
        ('ant', '+66.7'),
        ('bee', '0.0'),
        ('cow', '\u221266.7'),
    ]
    assert [bar.text for bar in rows[0].bars] == ['0.0', '66.7']
    assert unfound == []
    images.asked = images.asked[:1]
    rows, unfound = class_rows(images, CLASSES)
    assert [row.name for row in rows] == ['bee', 'cow']
    assert unfound == ['ant']


def test_confusions_that_changed(images: Look) -> None:
    rarer, more = confusions(images, CLASSES).values()
    [one], [other] = rarer, more
    assert (one.label, one.predicted) == ('ant', 'bee')
    assert one.text == '3.0 without, 1.0 with, of 3'
    assert len(one.pictures) == 2
    assert (other.label, other.predicted) == ('cow', 'bee')
    assert other.text == '0.0 without, 2.0 with, of 3'


def test_confusions_where_nothing_is_compared(images: Look) -> None:
    images.asked = images.asked[:1]
    [(title, [one])] = confusions(images, CLASSES).items()
    assert title == 'most frequent'
    assert one.text == 'alone, 3.0 of 3'


def test_means_over_seeds(images: Look) -> None:
    images.asked[0].answers.append(TAUGHT)
    assert class_rows(images, CLASSES)[0][0].change == '+33.3'


def test_what_is_chosen_are_both_ends_and_the_middle() -> None:
    values = np.array([np.nan, 3.0, 9.0, 1.0, 7.0, 5.0, 4.0, 8.0])
    assert chosen(values) == [2, 7, 5, 1, 3]
    assert chosen(values[:3]) == [2, 1]


def test_signs() -> None:
    assert [signed(v) for v in (0.04, 0.06, -0.04)] == ['0.0', '+0.1', '0.0']
    assert signed(-2) == '\u22122.0'
