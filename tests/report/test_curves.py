import re
from pathlib import Path

from made_runs import made_run

from mmkd.report.curves import Figure, sections
from mmkd.report.groups import group_runs
from mmkd.runs import Run

KD = {'kd': dict(type='LogitsKD', weight=0.5)}


def scores(*runs: Run) -> list[Figure]:
    found = {each.title: each.figures for each in sections(group_runs(runs), 'mIoU')}
    return found['Scores']


def test_epochs_and_iterations_do_not_share_an_axis(tmp_path: Path) -> None:
    by_epoch = made_run(tmp_path / 'a', {1: 3.0, 2: 4.0}, train_cfg=dict(max_epochs=2))
    figures = scores(by_epoch, made_run(tmp_path / 'b', {100: 4.0}, KD))
    assert [(each.name, each.labels) for each in figures] == [
        ('mIoU', ['student alone']),
        ('mIoU', ['kd']),
    ]
    units = [re.findall(r'by (\w+)"', str(each.svg)) for each in figures]
    assert units == [['epoch'], ['iteration']]


def test_training_is_drawn_by_iterations(tmp_path: Path) -> None:
    run = made_run(tmp_path, {1: 3.0}, train_cfg=dict(max_epochs=1))
    # A loss of the validation has the same name.
    run.scalars.val['loss'] = {1: 2.0}
    found = {each.title: each.figures for each in sections(group_runs([run]), 'mIoU')}
    [losses] = found['Losses']
    assert 'loss by iteration' in losses.svg


def test_every_teacher_has_its_level(tmp_path: Path) -> None:
    runs = [
        made_run(tmp_path / str(weight), {100: 40.0}, dict(kd=dict(weight=weight)))
        for weight in range(3)
    ]
    for run, score in zip(runs, (50.0, 59.0, 59.0), strict=True):
        run.scalars.val |= {'teacher/mIoU': {0: score}, 'teacher/images': {0: 40.0}}
    [figure] = scores(*runs)
    told = re.findall(r'<title>(teacher: [\d.]+)', str(figure.svg))
    assert told == ['teacher: 50', 'teacher: 59']
