from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from made_runs import made_run, save_student, street_parts
from mmengine.dataset import pseudo_collate
from mmpretrain.structures import DataSample
from tiny_models import Tiny

from mmkd.report.seen import networks
from mmkd.report.seen.answers import ask
from mmkd.report.seen.networks import student_of, teacher_of
from mmkd.report.seen.sample import Sample, read_sample
from mmkd.runs import Run, read_run

KD = {'kd': dict(type='LogitsKD')}


@pytest.fixture
def run(tiny: Tiny, streets: Path, tmp_path: Path) -> Run:
    teacher = tiny.teacher(tiny.segmentor(8, classes=19))
    parts = street_parts(tiny, streets) | dict(teacher=teacher)
    made_run(tmp_path / 'run', methods=KD, **parts)
    save_student(tmp_path / 'run')
    return read_run(tmp_path / 'run')


def test_a_student_is_counted_as_it_predicts(run: Run) -> None:
    student, sample = student_of(run), read_sample(run.settings, 3)
    answers = ask(student, sample)
    assert sample.numbers == [0, 2, 3]
    right, seen = 0, 0
    for place, number in enumerate(sample.numbers):
        data = student.model.data_preprocessor(
            pseudo_collate([sample.dataset[number]]), False
        )
        with torch.no_grad():
            [found] = student.model(**data, mode='predict')
        labels, predicted = found.gt_sem_seg.data, found.pred_sem_seg.data
        known = labels != 255
        hits = int((labels == predicted)[known].sum())
        right, seen = right + hits, seen + int(known.sum())
        assert answers.right[place] == pytest.approx(hits / int(known.sum()))
        assert np.array_equal(answers.predicted[place], predicted[0].numpy())
    assert float(answers.tally.counts.diag().sum()) == right
    assert float(answers.tally.counts.sum()) == seen
    # Only two classes have labels.
    assert (~np.isnan(answers.by_class)).nonzero()[0].tolist() == [0, 10]


def test_a_network_that_is_always_right(run: Run) -> None:
    student = student_of(run)

    def predict(inputs: Any, samples: Any) -> Any:
        for sample in samples:
            labels = sample.gt_sem_seg.data
            other = torch.where(labels == 255, 3, (labels + 1) % 19)
            sample.set_data(dict(pred_sem_seg=type(sample.gt_sem_seg)(data=other)))
        return samples

    student.predict = predict
    # Its classes are shifted by one, as a teacher's may be.
    student.to_student = lambda predictions: (predictions - 1) % 19
    answers = ask(student, read_sample(run.settings, 2))
    assert answers.right == [1.0, 1.0]
    assert answers.by_class[[0, 10]].tolist() == [100, 100]


def test_a_teacher_is_asked_as_it_is_while_it_teaches(run: Run, tiny: Tiny) -> None:
    student, sample = student_of(run), read_sample(run.settings, 4)
    teacher = teacher_of(run, student, sample.classes(19))
    answers = ask(teacher, sample)
    live = tiny.distiller('pixels', KD, **{
        key: run.settings['model'][key] for key in ('student', 'teacher')
    }).eval()
    for place in range(4):
        batch = pseudo_collate([sample.dataset[place]])
        data = live.data_preprocessor(batch, False)
        [found] = live.teacher.predict(data['inputs'], data['data_samples'])
        assert np.array_equal(answers.predicted[place], found.pred_sem_seg.data[0])


def test_a_teacher_is_compared_with_its_student_where_both_are(
    tiny: Tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tiny.segmentor(8)
    # A different order spares a comparison of values, which `meta` does not have.
    other['data_preprocessor'].update(bgr_to_rgb=False)
    made_run(
        tmp_path, methods=KD, student=tiny.segmentor(), teacher=tiny.teacher(other)
    )
    save_student(tmp_path)
    run = read_run(tmp_path)
    # It stands for a GPU.
    monkeypatch.setattr(networks, '_place', lambda model: model.eval().to('meta'))
    teacher = teacher_of(run, student_of(run), ['ant', 'bee', 'cow', 'dog'])
    assert teacher.num_classes == 4


def test_pictures_are_upright_and_in_their_colours(run: Run, streets: Path) -> None:
    sample = read_sample(run.settings, 1)
    file = streets / 'leftImg8bit' / 'val' / 'town' / '0_leftImg8bit.png'
    assert np.array_equal(sample.image(0), cv2.imread(str(file))[..., ::-1])
    labels = sample.labels(0, student_of(run).task)
    assert labels[0, 0] == 10
    assert labels[30, 0] == -1
    assert labels[-1, -1] == 0
    assert sample.palette(19)[0].tolist() == [128, 64, 128]
    assert len(np.unique(sample.palette(40), axis=0)) == 40


def test_what_is_missing_is_named(run: Run, tmp_path: Path) -> None:
    student = student_of(run)
    (tmp_path / 'run' / 'student.pth').unlink()
    with pytest.raises(FileNotFoundError, match='it has no checkpoint'):
        student_of(run)
    Path(run.settings['model']['teacher']['checkpoint']).unlink()
    with pytest.raises(FileNotFoundError, match=r'was not found: .*teacher_1\.pth'):
        teacher_of(run, student, None)


class Images:
    """Four images."""

    def __init__(self, labelled: bool = True) -> None:
        self.labelled = labelled

    def __len__(self) -> int:
        return 4

    def __getitem__(self, number: int) -> dict[str, Any]:
        sample = DataSample()
        if self.labelled:
            sample.set_gt_label(number)
        return dict(inputs=torch.zeros(3, 16, 16).byte(), data_samples=sample)


def test_images_have_one_class_or_none(tiny: Tiny, tmp_path: Path) -> None:
    made_run(tmp_path, student=tiny.classifier(), default_scope='mmpretrain')
    save_student(tmp_path)
    student = student_of(read_run(tmp_path))
    answers = ask(student, Sample(Images(), range(4)))
    [predicted] = {int(each) for each in answers.predicted}
    assert answers.labels == [0, 1, 2, 3]
    assert answers.right == [float(predicted == label) for label in range(4)]
    nothing = ask(student, Sample(Images(labelled=False), range(4)))
    assert nothing.labels == [-1] * 4
    assert np.isnan([*nothing.right, *nothing.by_class]).all()


def test_several_labels_are_not_compared(tiny: Tiny, tmp_path: Path) -> None:
    head = tiny.classifier()['head'] | dict(type='mmpretrain.MultiLabelLinearClsHead')
    head.pop('topk', None)
    head.pop('loss', None)
    made_run(tmp_path, student=tiny.classifier(head=head), default_scope='mmpretrain')
    save_student(tmp_path)
    with pytest.raises(ValueError, match='images have several labels'):
        ask(student_of(read_run(tmp_path)), Sample(Images(), range(4)))
