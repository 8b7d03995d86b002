import copy
from functools import cache
from typing import Any

import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.optim import OptimWrapper
from torch import Tensor

from mmkd.models import ModelView, Tap, build_model
from mmkd.models.build import model_dict

CITYSCAPES = '4xb2-80k_cityscapes-512x1024.py'
RESNET = dict(
    pretrained=None,
    backbone=dict(depth=18, stem_channels=4, base_channels=4),
    decode_head=dict(in_channels=32, channels=8),
    auxiliary_head=dict(in_channels=16, channels=4),
)
HRNET = {
    f'stage{n}': dict(num_modules=1, num_channels=[4, 8, 16, 32][:n])
    for n in range(2, 5)
}
FOUR = [4, 8, 16, 32]
VIT = dict(embed_dims=16, num_layers=2, num_heads=2, feedforward_channels=32)
SWIN = dict(embed_dims=12, depths=[1, 1, 1, 1], num_heads=[1, 2, 3, 4])

# Config, how to shrink it, main classifier, width of its input.
SEGMENTORS: dict[str, tuple[str, dict[str, Any], str, int]] = {
    'PSPNet': (
        f'mmseg::pspnet/pspnet_r18-d8_{CITYSCAPES}',
        RESNET,
        'decode_head.conv_seg',
        8,
    ),
    'DeepLabV3': (
        f'mmseg::deeplabv3/deeplabv3_r18-d8_{CITYSCAPES}',
        RESNET,
        'decode_head.conv_seg',
        8,
    ),
    'DeepLabV3+': (
        f'mmseg::deeplabv3plus/deeplabv3plus_r18-d8_{CITYSCAPES}',
        RESNET | dict(decode_head=dict(in_channels=32, channels=8, c1_in_channels=4)),
        'decode_head.conv_seg',
        8,
    ),
    'FCN': (
        f'mmseg::fcn/fcn_r18-d8_{CITYSCAPES}',
        RESNET,
        'decode_head.conv_seg',
        8,
    ),
    'UPerNet': (
        'mmseg::swin/swin-tiny-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-'
        '512x512.py',
        dict(
            backbone=dict(embed_dims=12, depths=[1, 1, 1, 1], init_cfg=None),
            decode_head=dict(in_channels=[12, 24, 48, 96], channels=8),
            auxiliary_head=dict(in_channels=48, channels=4),
        ),
        'decode_head.conv_seg',
        8,
    ),
    'SegFormer': (
        'mmseg::segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py',
        dict(
            backbone=dict(embed_dims=4, num_layers=[1, 1, 1, 1], init_cfg=None),
            decode_head=dict(in_channels=[4, 8, 20, 32], channels=16),
        ),
        'decode_head.conv_seg',
        16,
    ),
    'OCRNet': (
        f'mmseg::ocrnet/ocrnet_hr18s_{CITYSCAPES}',
        dict(
            pretrained=None,
            backbone=dict(extra=HRNET),
            decode_head={
                '0': dict(in_channels=FOUR, channels=12),
                '1': dict(in_channels=FOUR, channels=10, ocr_channels=6),
            },
        ),
        'decode_head.1.conv_seg',
        10,
    ),
}
CLASSIFIERS: dict[str, tuple[str, dict[str, Any], str, int]] = {
    'ResNet': (
        'mmpretrain::resnet/resnet18_8xb32_in1k.py',
        dict(
            backbone=dict(stem_channels=8, base_channels=8), head=dict(in_channels=64)
        ),
        'head.fc',
        64,
    ),
    'MobileNetV2': (
        'mmpretrain::mobilenet_v2/mobilenet-v2_8xb32_in1k.py',
        dict(backbone=dict(widen_factor=0.1)),
        'head.fc',
        1280,
    ),
    'ViT': (
        'mmpretrain::vision_transformer/vit-base-p16_64xb64_in1k-384px.py',
        dict(backbone=dict(arch=VIT, img_size=64), head=dict(in_channels=16)),
        'head.layers.head',
        16,
    ),
    'Swin': (
        'mmpretrain::swin_transformer/swin-tiny_16xb64_in1k.py',
        dict(backbone=dict(arch=SWIN), head=dict(in_channels=96)),
        'head.fc',
        96,
    ),
}
ARCHITECTURES = SEGMENTORS | CLASSIFIERS


@cache
def _config(name: str) -> ConfigDict:
    path, changes, *_ = ARCHITECTURES[name]
    config = Config(dict(model=model_dict(path)))
    arch = changes.get('backbone', {}).get('arch')
    if arch is not None:
        config.model.backbone.arch = arch
    config.merge_from_dict(dict(model=changes))
    if 'size' in config.model.data_preprocessor:
        config.model.data_preprocessor.size = (64, 64)
    return config.model


def shrunk(name: str) -> ConfigDict:
    return copy.deepcopy(_config(name))


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_architecture_is_discovered(name: str) -> None:
    *_, classifier, width = ARCHITECTURES[name]
    view = ModelView(build_model(shrunk(name), num_classes=5))

    assert view.classifier == classifier
    assert view.feature == Tap(classifier, 'input')
    assert view.logits == Tap(classifier)
    assert view.num_classes == 5
    assert view.shape(view.feature)[1] == width
    assert view.shape(view.logits)[:2] == (1, 5)


@pytest.mark.parametrize('name', ARCHITECTURES)
def test_architecture_is_distilled(tiny: Any, name: str) -> None:
    task = 'pixels' if name in SEGMENTORS else 'images'
    distiller = tiny.distiller(
        task,
        dict(dual_head=dict(type='DualHead'), kd=dict(type='LogitsKD')),
        student=shrunk(name),
        teacher=tiny.teacher(tiny.model(task, classes=5), num_classes=5),
        num_classes=5,
    )
    # Swin's windows need a map of at least 7.
    size = 224 if name == 'Swin' else 64

    losses = trained(distiller, tiny.batch(task, count=2, size=size))

    assert {'distill.dual_head.loss', 'distill.kd.loss', 'task_loss'} < set(losses)


TRANSFORMERS = [
    ('SegFormer', {}, 'FCN'),
    ('ViT', {}, 'ResNet'),
    ('Swin', dict(pad_small_map=True), 'ResNet'),
]


@pytest.mark.parametrize(('name', 'settings', 'student'), TRANSFORMERS)
def test_transformer_teaches_a_convolutional_student(
    tiny: Any, name: str, settings: dict[str, Any], student: str
) -> None:
    task = 'pixels' if name in SEGMENTORS else 'images'
    config = shrunk(name)
    config.backbone.update(settings)
    distiller = tiny.distiller(
        task,
        dict(dual_head=dict(type='DualHead', head=dict(type='MLPClassifier'))),
        student=shrunk(student),
        teacher=tiny.teacher(config, num_classes=4),
        num_classes=4,
    )

    losses = trained(distiller, tiny.batch(task, size=64))

    assert losses['distill.dual_head.loss'] > 0


def trained(distiller: Any, batch: dict[str, Any]) -> dict[str, Tensor]:
    """Take one step, which must change both classifiers and break nothing."""
    wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=0.1))
    before = {name: p.detach().clone() for name, p in distiller.named_parameters()}

    losses = distiller.train().train_step(batch, wrapper)

    assert all(torch.isfinite(value) for value in losses.values())
    main = f'student.{distiller.student_view.classifier}.'
    for name, parameter in distiller.named_parameters():
        assert torch.isfinite(parameter).all(), name
        if name.startswith((main, 'methods.')):
            assert not parameter.equal(before[name]), name
    return losses
