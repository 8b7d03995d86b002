import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import load_checkpoint
from small_models import own_state

from mmkd.checkpoint import safe_load
from mmkd.engine import ExportStudentHook
from mmkd.models.distiller import student_alone

EXPORT = dict(type='mmkd.ExportStudentHook')


def test_the_file_is_the_plain_student(distiller: Any, runner_of: Any) -> None:
    fresh = copy.deepcopy(distiller)
    runner = runner_of(distiller, custom_hooks=[EXPORT])
    runner.train()
    path = Path(runner.work_dir) / 'student.pth'
    with student_alone(fresh):
        load_checkpoint(fresh, str(path), strict=True)
    for name, value in own_state(distiller).items():
        assert torch.equal(fresh.state_dict()[name], value)
    content = torch.load(path, weights_only=True)
    assert content['meta'] == dict(dataset_meta=dict(classes=('cat', 'dog', 'eel')))
    assert content.keys() == {'meta', 'state_dict'}
    assert not list(path.parent.glob('*.partial'))


def test_an_averaged_student_is_what_is_exported(
    distiller: Any, runner_of: Any
) -> None:
    custom = [dict(type='EMAHook', momentum=0.5), EXPORT]
    runner = runner_of(distiller, custom_hooks=custom)
    runner.train()
    folder = Path(runner.work_dir)
    state = safe_load(folder / 'student.pth')['state_dict']
    checkpoint = safe_load(folder / 'epoch_2.pth')['state_dict']
    weight = distiller.head['fc'].weight
    assert not torch.equal(state['head.fc.weight'], weight)
    assert torch.equal(state['head.fc.weight'], checkpoint['head.fc.weight'])


@pytest.mark.parametrize('filename', ['', 'weights/student.pth', '..'])
def test_a_name_with_a_folder_is_refused(filename: str) -> None:
    with pytest.raises(ValueError, match='filename'):
        ExportStudentHook(filename=filename)
