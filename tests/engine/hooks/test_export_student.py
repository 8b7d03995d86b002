from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import load_checkpoint

from mmkd.checkpoints.loading import safe_load
from mmkd.engine import ExportStudentHook

EXPORT = dict(export_student=dict(type='mmkd.ExportStudentHook'))


def test_the_file_is_the_plain_student(
    tiny: Any, distiller: Any, runner_of: Any
) -> None:
    runner = runner_of(distiller, default_hooks=EXPORT)
    runner.train()
    path = Path(runner.work_dir) / 'student.pth'
    student = tiny.plain('images')
    load_checkpoint(student, str(path), strict=True)
    trained = distiller.state_dict()
    for name, value in student.state_dict().items():
        assert torch.equal(trained[name], value), name
    content = torch.load(path, weights_only=True)
    assert content.keys() == {'meta', 'state_dict'}
    classes = runner.train_dataloader.dataset.metainfo['classes']
    assert content['meta'] == dict(dataset_meta=dict(classes=classes))
    assert content['state_dict'].keys() == student.state_dict().keys()
    assert not list(path.parent.glob('*.partial'))
    assert list(distiller.methods) == ['dual_head', 'kd']


def test_an_averaged_student_is_what_is_exported(
    distiller: Any, runner_of: Any
) -> None:
    average = [dict(type='EMAHook', momentum=0.5)]
    runner = runner_of(distiller, default_hooks=EXPORT, custom_hooks=average)
    runner.train()
    folder = Path(runner.work_dir)
    state = safe_load(folder / 'student.pth')['state_dict']
    checkpoint = safe_load(folder / 'epoch_2.pth')['state_dict']
    assert not torch.equal(state['head.fc.weight'], distiller.head.fc.weight)
    assert torch.equal(state['head.fc.weight'], checkpoint['head.fc.weight'])


@pytest.mark.parametrize('hooks', [[], [dict(type='EMAHook', momentum=0.5)]])
def test_a_student_alone_is_exported_too(
    hooks: list[Any], tiny: Any, runner_of: Any
) -> None:
    """With the config that it is tested and deployed with."""
    cfg = Config(dict(model=tiny.model('images'), default_scope='mmpretrain'))
    student = tiny.plain('images')
    runner = runner_of(student, default_hooks=EXPORT, custom_hooks=hooks, cfg=cfg)
    runner.train()
    folder = Path(runner.work_dir)
    state = safe_load(folder / 'student.pth')['state_dict']
    checkpoint = safe_load(folder / 'epoch_2.pth')['state_dict']
    assert state.keys() == checkpoint.keys()
    for name, value in checkpoint.items():
        assert torch.equal(state[name], value), name
    assert Config.fromfile(folder / 'student.py').model == cfg.model


@pytest.mark.parametrize('filename', ['', 'weights/student.pth', '..'])
def test_a_name_with_a_folder_is_refused(filename: str) -> None:
    with pytest.raises(ValueError, match='filename'):
        ExportStudentHook(filename=filename)


def test_a_training_without_an_iteration_has_no_student(
    distiller: Any, runner_of: Any
) -> None:
    length = dict(by_epoch=True, max_epochs=0)
    runner = runner_of(distiller, default_hooks=EXPORT, train_cfg=length)
    with pytest.raises(RuntimeError, match=r'0 iterations.*no student\.pth.*max_epoch'):
        runner.train()
    assert not (Path(runner.work_dir) / 'student.pth').exists()
