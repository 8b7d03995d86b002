import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmseg.datasets import CityscapesDataset
from tiny_models import Tiny, tiny

from mmkd.deploy.images import TRAINING, VALIDATION, dataset_of
from mmkd.models import build_model

__all__ = ['tiny']

Tool = Callable[..., None]


def loader(streets: Path, split: str, *steps: str, **wrapper: Any) -> dict[str, Any]:
    names = ('LoadImageFromFile', 'LoadAnnotations', *steps, 'PackSegInputs')
    folders = dict(img_path=f'leftImg8bit/{split}', seg_map_path=f'gtFine/{split}')
    dataset = dict(
        type='CityscapesDataset',
        data_root=str(streets),
        data_prefix=folders,
        pipeline=[dict(type=name) for name in names],
    )
    if wrapper:
        dataset = dict(wrapper, dataset=dataset)
    sampler = dict(type='DefaultSampler', shuffle=False)
    return dict(batch_size=2, num_workers=0, sampler=sampler, dataset=dataset)


@pytest.fixture
def pair(tiny: Tiny, streets: Path, tmp_path: Path) -> Path:
    """The config of a tiny pair, with the student's checkpoint next to it."""
    student = tiny.segmentor(classes=19)
    model = dict(
        type='mmkd.Distiller',
        student=student,
        teacher=tiny.teacher(tiny.segmentor(8, 19)),
        methods={},
    )
    repeated = dict(type='RepeatDataset', times=2)
    config = dict(
        model=model,
        default_scope='mmseg',
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        val_cfg={},
        train_dataloader=loader(streets, 'train', 'PhotoMetricDistortion', **repeated),
        val_dataloader=loader(streets, 'val'),
        val_evaluator=dict(type='IoUMetric', iou_metrics=['mIoU']),
    )
    Config(config).dump(tmp_path / 'pair.py')
    state = build_model(student).state_dict()
    torch.save(dict(state_dict=state), tmp_path / 'student.pth')
    return tmp_path / 'pair.py'


def test_a_pair(
    run_tool: Tool, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_tool(
        'profile_student.py',
        *(pair, 'student.pth', '--seconds', 0, '--keep', 'graphs'),
        *('--calibration', 3, '--out', 'new/worth.json'),
    )
    told = capsys.readouterr().out
    assert 'timed at 64 x 96, threads: 1' in told
    assert 'scored on 4 of 4 validation images' in told
    assert 'per class results' not in told
    assert told.count('onnxruntime int8 |') == 2
    found = json.loads(Path('new/worth.json').read_text())
    assert (found['calibrated'], found['scored'], found['notes']) == (3, 4, [])
    for network in found['networks']:
        plain, exact, small = network['forms']
        assert plain['scores'] == pytest.approx(exact['scores'], nan_ok=True)
        assert 0 <= small['scores']['mIoU'] <= 100
        assert network['notes'] == []
    names = ['student', 'student_int8', 'teacher', 'teacher_int8']
    assert sorted(path.stem for path in Path('graphs').iterdir()) == names


def test_without_data_and_teacher(
    run_tool: Tool, pair: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg = Config.fromfile(pair)
    for each in (cfg.train_dataloader.dataset, cfg.val_dataloader):
        each.dataset.data_root = 'nowhere'
    cfg.model.teacher.checkpoint = 'gone.pth'
    cfg.dump(pair)
    command = ('profile_student.py', pair, 'student.pth', '--seconds', 0)
    with pytest.raises(SystemExit, match=r'size is unknown: pass --size HEIGHT WIDTH'):
        run_tool(*command)
    run_tool(*command, '--size', 32, 40, '--threads', 1)
    told = capsys.readouterr().out
    assert 'timed at 32 x 40' in told
    assert 'int8 |' not in told
    assert 'mIoU' not in told
    assert "- teacher: random weights and no score: the teacher checkpoint" in told
    assert "- no score: the folder 'nowhere' of val_dataloader.dataset" in told
    assert "- no int8: the folder 'nowhere' of train_dataloader.dataset.dataset" in told


def test_a_student_of_other_classes_is_not_scored(run_tool: Tool, pair: Path) -> None:
    content = torch.load('student.pth')
    classes = list(CityscapesDataset.METAINFO['classes'])
    content['meta'] = dict(dataset_meta=dict(classes=classes[::-1]))
    torch.save(content, 'student.pth')
    command = ('profile_student.py', pair, 'student.pth')
    message = r'those in student\.pth, or .* set: road.*Checkpoint: bicycle.*--no-score'
    with pytest.raises(SystemExit, match=message):
        run_tool(*command)
    with pytest.raises(SystemExit, match=r"the teacher checkpoint 'none\.pth' cannot"):
        run_tool(*command, '--no-score', '--teacher', 'none.pth')


@pytest.mark.parametrize(
    ('option', 'place', 'message'),
    [
        ('--out', 'graphs', 'graphs is a folder: name a file'),
        ('--out', 'student.pth', r'would replace .*student\.pth: name another'),
        ('--out', 'pair.py', r'would replace .*pair\.py: name another'),
        ('--out', 'teacher_1.pth', r'would replace .*teacher_1\.pth: name another'),
        ('--out', 'student.pth/new/a.json', r'student\.pth is a file, not a folder'),
        ('--keep', 'student.pth', r'student\.pth is a file, not a folder'),
        ('--keep', 'student.pth/new', r'student\.pth is a file, not a folder'),
    ],
)
def test_what_is_read_is_not_written_over(
    run_tool: Tool, pair: Path, option: str, place: str, message: str
) -> None:
    Path('graphs').mkdir()
    with pytest.raises(SystemExit, match=message):
        run_tool('profile_student.py', pair, 'student.pth', option, place)
    if option == '--out':
        with pytest.raises(SystemExit, match=message):
            run_tool('export_onnx.py', pair, './student.pth', place)
    assert torch.load('student.pth')


def test_images_of_the_training_are_seen_as_those_of_the_validation(
    pair: Path
) -> None:
    cfg = Config.fromfile(pair)
    training, validation = (dataset_of(cfg, each) for each in (TRAINING, VALIDATION))
    assert len(training) == len(validation) == 4
    assert repr(training.pipeline) == repr(validation.pipeline)
    assert 'train' in training[0]['data_samples'].img_path
    assert torch.equal(training[0]['inputs'], training[0]['inputs'])
    cfg.pop(VALIDATION)
    with pytest.raises(ValueError, match='the config has no val_dataloader'):
        dataset_of(cfg)
