"""Every module of real architectures, tapped and captured independently."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from mmkd.models import Tap, build_model, capture
from mmkd.models.taps import first_tensor

VIT = dict(
    type='mmpretrain.ImageClassifier',
    backbone=dict(
        type='mmpretrain.VisionTransformer',
        arch=dict(embed_dims=8, num_layers=2, num_heads=2, feedforward_channels=16),
        img_size=32,
        patch_size=8,
    ),
    head=dict(type='mmpretrain.VisionTransformerClsHead', num_classes=4, in_channels=8),
)
SEGFORMER = dict(
    type='mmseg.EncoderDecoder',
    backbone=dict(
        type='mmseg.MixVisionTransformer',
        embed_dims=4,
        num_stages=2,
        num_layers=[1, 1],
        num_heads=[1, 2],
        patch_sizes=[7, 3],
        strides=(4, 2),
        sr_ratios=(2, 1),
        out_indices=(0, 1),
        mlp_ratio=2,
    ),
    decode_head=dict(
        type='mmseg.SegformerHead',
        in_channels=[4, 8],
        in_index=[0, 1],
        channels=6,
        num_classes=4,
        norm_cfg=dict(type='BN'),
        align_corners=False,
    ),
    test_cfg=dict(mode='whole'),
)
KINDS = ['mmpretrain ResNet', 'mmseg ResNet', 'ViT', 'SegFormer']


@pytest.fixture(params=KINDS)
def model(request: pytest.FixtureRequest, tiny: Any) -> nn.Module:
    configs = [tiny.classifier(), tiny.segmentor(), VIT, SEGFORMER]
    torch.manual_seed(0)
    return build_model(dict(zip(KINDS, configs, strict=True))[request.param])


def seen_by_hand(model: nn.Module, images: Tensor) -> dict[Tap, Tensor]:
    """First input and output of every module that runs, cloned at once."""
    seen: dict[Tap, Tensor] = {}
    handles = []

    def note(tap: Tap, value: Any) -> None:
        try:
            seen.setdefault(tap, first_tensor(value).detach().clone())
        except TypeError:
            return

    for path, module in model.named_modules():

        def before(_: Any, args: Any, kwargs: Any, path: str = path) -> None:
            note(Tap(path, 'input'), (args, kwargs))

        def after(_: Any, args: Any, output: Any, path: str = path) -> None:
            note(Tap(path), output)

        handles += [
            module.register_forward_pre_hook(before, with_kwargs=True),
            module.register_forward_hook(after),
        ]
    torch.manual_seed(1)
    with torch.no_grad():
        model(images, mode='tensor')
    for handle in handles:
        handle.remove()
    return seen


@pytest.mark.parametrize('training', [True, False])
def test_each_module_is_captured_as_it_ran(model: nn.Module, training: bool) -> None:
    model.train(training)
    images = torch.randn(2, 3, 32, 32)
    expected = seen_by_hand(model, images)

    torch.manual_seed(1)
    with capture(model, expected) as values:
        model(images.clone(), mode='tensor')

    assert len(expected) > 40
    for tap, value in expected.items():
        assert values[tap].equal(value), tap
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    last = next(tap for tap in reversed(expected) if values[tap].requires_grad)
    values[last].sum().backward()
    assert any(p.grad is not None for p in model.parameters())
