from typing import Any

import pytest
from mmengine.registry import DefaultScope
from torch import nn

from mmkd.models import build_model
from mmkd.models.tasks import task_of
from mmkd.models.tasks.exclusive import is_exclusive

CE, DICE = dict(type='mmseg.CrossEntropyLoss'), dict(type='mmseg.DiceLoss')
SIGMOID = dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True)

SEGMENTATION: dict[str, tuple[bool, Any]] = {
    'softmax': (True, CE),
    'sigmoid': (False, CE | dict(use_sigmoid=True)),
    'focal': (False, dict(type='mmseg.FocalLoss')),
    'dice': (False, DICE),
    'softmax dice': (True, DICE | dict(use_sigmoid=False)),
    'softmax and dice': (True, [CE, DICE]),
    'two sigmoids': (False, [CE | dict(use_sigmoid=True), DICE]),
    'hard pixels': (True, dict(type='mmseg.OhemCrossEntropy')),
}
IMAGES: dict[str, tuple[bool, Any]] = {
    'softmax': (True, dict(type='mmpretrain.CrossEntropyLoss')),
    'soft targets': (True, dict(type='mmpretrain.CrossEntropyLoss', use_soft=True)),
    'sigmoid': (False, SIGMOID),
    'smooth': (True, dict(type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1)),
    'smooth sigmoid': (
        False,
        dict(
            type='mmpretrain.LabelSmoothLoss', label_smooth_val=0.1, use_sigmoid=True
        ),
    ),
    'asymmetric': (False, dict(type='mmpretrain.AsymmetricLoss')),
    'focal': (False, dict(type='mmpretrain.FocalLoss')),
    'seesaw': (True, dict(type='mmpretrain.SeesawLoss')),
}


@pytest.mark.parametrize('name', SEGMENTATION)
def test_a_segmentors_loss_tells(tiny: Any, name: str) -> None:
    exclusive, loss = SEGMENTATION[name]
    config = tiny.segmentor()
    config['decode_head']['loss_decode'] = loss

    assert task_of(build_model(config)).exclusive == exclusive


@pytest.mark.parametrize('name', IMAGES)
def test_a_classifiers_loss_tells(tiny: Any, name: str) -> None:
    exclusive, loss = IMAGES[name]
    config = tiny.classifier()
    config['head']['loss'] = loss

    assert task_of(build_model(config)).exclusive == exclusive


@pytest.mark.parametrize('kind', ['MultiLabelLinearClsHead', 'CSRAClsHead'])
def test_heads_of_several_labels_do_not_exclude(tiny: Any, kind: str) -> None:
    extra = dict(num_heads=1, lam=0.1) if kind == 'CSRAClsHead' else {}
    head = dict(type=f'mmpretrain.{kind}', num_classes=5, in_channels=8, **extra)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        task: Any = task_of(build_model(tiny.classifier(head=head)))

    assert not task.exclusive
    assert task.several_labels
    assert task.num_classes == 5


def test_losses_of_pytorch_and_none() -> None:
    assert not is_exclusive(nn.BCEWithLogitsLoss())
    assert is_exclusive(nn.CrossEntropyLoss())
    assert is_exclusive(None)
