from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from torch import nn

from mmkd.models import build_model
from mmkd.models.backbones import (
    VGGCIFAR,
    MobileNetV1,
    MobileNetV2CIFAR,
    ResNetCIFAR,
    ShuffleNetV1CIFAR,
    ShuffleNetV2CIFAR,
    WideResNetCIFAR,
)

CONFIGS = Path(__file__).parents[3] / 'configs/_base_/models'

# The counts that the tables in the literature use, for 100 classes.
PARAMETERS = {
    'resnet8': 83_892,
    'resnet14': 181_108,
    'resnet20': 278_324,
    'resnet32': 472_756,
    'resnet44': 667_188,
    'resnet56': 861_620,
    'resnet110': 1_736_564,
    'resnet8x4': 1_233_540,
    'resnet32x4': 7_433_860,
    'wrn16-1': 180_916,
    'wrn16-2': 703_284,
    'wrn40-1': 569_780,
    'wrn40-2': 2_255_156,
    'vgg8': 3_965_028,
    'vgg11': 9_277_284,
    'vgg13': 9_462_180,
    'vgg16': 14_774_436,
    'vgg19': 20_086_692,
    'resnet50': 23_705_252,
    'mobilenetv2': 812_836,
    'shufflenetv1': 949_258,
    'shufflenetv2': 1_355_528,
}
# Channels and sizes of layer1, layer2, ... for 32x32 images.
NARROW = [(16, 32), (32, 16), (64, 8)]
WIDE = [(32, 32), (64, 16), (128, 8)]
X4 = [(64, 32), (128, 16), (256, 8)]
VGG = [(64, 32), (128, 16), (256, 8), (512, 4), (512, 4)]
STAGES = {
    'resnet8': NARROW,
    'resnet110': NARROW,
    'resnet8x4': X4,
    'resnet32x4': X4,
    'wrn16-1': NARROW,
    'wrn40-2': WIDE,
    'vgg8': VGG,
    'vgg13': VGG,
    'resnet50': [(256, 32), (512, 16), (1024, 8), (2048, 4)],
    'mobilenetv2': [(12, 16), (16, 8), (48, 4), (160, 2)],
    'shufflenetv1': [(240, 16), (480, 8), (960, 4)],
    'shufflenetv2': [(116, 16), (232, 8), (464, 4)],
}
# One of each family.
FAMILIES = [
    'resnet8',
    'wrn16-1',
    'vgg8',
    'mobilenetv2',
    'shufflenetv1',
    'shufflenetv2',
]


def build(arch: str) -> nn.Module:
    config = Config.fromfile(CONFIGS / f'{arch}_cifar.py').model
    config['_scope_'] = 'mmpretrain'
    return build_model(config)


def test_every_family_has_its_config() -> None:
    found = {path.stem.removesuffix('_cifar') for path in CONFIGS.glob('*_cifar.py')}
    assert found == set(PARAMETERS)


@pytest.mark.parametrize(('arch', 'count'), PARAMETERS.items())
def test_parameter_count(arch: str, count: int) -> None:
    model = build(arch)
    assert sum(value.numel() for value in model.parameters()) == count


@pytest.mark.parametrize(('arch', 'expected'), STAGES.items())
def test_stages_are_children_whose_outputs_end_the_units(
    arch: str, expected: list[tuple[int, int]]
) -> None:
    model = build(arch).eval()
    shapes = {}
    for name, child in model.backbone.named_children():
        if name.startswith('layer'):
            child.register_forward_hook(
                lambda _, inputs, output, name=name: shapes.update({name: output.shape})
            )
    with torch.no_grad():
        logits = model(torch.zeros(1, 3, 32, 32))
    assert logits.shape == (1, 100)
    assert shapes == {
        f'layer{number}': (1, channels, size, size)
        for number, (channels, size) in enumerate(expected, 1)
    }


@pytest.mark.parametrize('arch', FAMILIES)
def test_one_step_reaches_every_parameter(arch: str) -> None:
    model = build(arch)
    model.init_weights()
    images = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    model.train()
    model(images).square().sum().backward()
    for name, value in model.named_parameters():
        assert value.grad is not None, name
        assert value.grad.isfinite().all(), name
        assert value.grad.abs().sum() > 0, name


@pytest.mark.parametrize(
    ('backbone', 'last'),
    [
        (ResNetCIFAR(8), 2),
        (WideResNetCIFAR(10), 3),
        (VGGCIFAR(8), 4),
        (MobileNetV2CIFAR(), 4),
        (ShuffleNetV1CIFAR(), 2),
        (ShuffleNetV2CIFAR(), 3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_last_map_is_returned_unless_others_are_asked_for(
    backbone: nn.Module, last: int
) -> None:
    images = torch.randn(1, 3, 32, 32)
    backbone.eval()
    assert tuple(backbone.out_indices) == (last,)
    default = backbone(images)
    backbone.out_indices = tuple(range(last + 1))
    maps = backbone(images)
    assert len(default) == 1
    assert len(maps) == last + 1
    torch.testing.assert_close(default[0], maps[last])
    torch.testing.assert_close(maps[0], tapped(backbone, 'layer1', images))


def tapped(backbone: nn.Module, name: str, images: torch.Tensor) -> torch.Tensor:
    outputs = []
    handle = getattr(backbone, name).register_forward_hook(
        lambda _, inputs, output: outputs.append(output)
    )
    backbone(images)
    handle.remove()
    return outputs[0]


@pytest.mark.parametrize('arch', FAMILIES)
def test_captured_stages_are_not_changed_by_what_follows(arch: str) -> None:
    backbone = build(arch).backbone
    stages = [m for name, m in backbone.named_children() if name.startswith('layer')]
    assert_outputs_stay(backbone, stages)


@pytest.mark.parametrize('arch', ['wrn16-1', 'vgg8', 'mobilenetv2', 'shufflenetv1'])
def test_captured_activations_are_not_changed_by_a_relu(arch: str) -> None:
    backbone = build(arch).backbone
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    assert_outputs_stay(backbone, norms)


def assert_outputs_stay(backbone: nn.Module, modules: list[nn.Module]) -> None:
    captured = []
    for module in modules:
        module.register_forward_hook(
            lambda _, inputs, output: captured.append((output, output.clone()))
        )
    with torch.no_grad():
        backbone(torch.randn(1, 3, 32, 32))
    assert len(captured) == len(modules)
    for output, copy in captured:
        torch.testing.assert_close(output, copy, rtol=0, atol=0)


@pytest.mark.parametrize('arch', ['resnet8', 'vgg8', 'shufflenetv1', 'resnet50'])
def test_stages_end_behind_the_relu(arch: str) -> None:
    model = build(arch).eval()
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        for name in ('layer1', 'layer2', 'layer3'):
            assert tapped(model.backbone, name, images).min() == 0


@pytest.mark.parametrize('arch', ['wrn16-1', 'mobilenetv2'])
def test_stages_that_end_linearly(arch: str) -> None:
    model = build(arch).eval()
    with torch.no_grad():
        assert tapped(model.backbone, 'layer2', torch.randn(1, 3, 32, 32)).min() < 0


def test_mobilenetv1_for_imagenet() -> None:
    backbone = MobileNetV1(out_indices=(0, 1, 2, 3)).eval()
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 64, 64))
    assert [value.shape[1:] for value in maps] == [
        (128, 16, 16),
        (256, 8, 8),
        (512, 4, 4),
        (1024, 2, 2),
    ]
    config = Config.fromfile(CONFIGS / 'mobilenetv1.py').model
    config['_scope_'] = 'mmpretrain'
    model = build_model(config)
    assert sum(value.numel() for value in model.parameters()) == 4_231_976


def test_init_is_the_published_one() -> None:
    generator_state = torch.get_rng_state()
    torch.manual_seed(0)
    vgg, shuffle, wrn = build('vgg8'), build('shufflenetv2'), build('wrn16-2')
    for model in (vgg, shuffle, wrn):
        model.init_weights()
    torch.set_rng_state(generator_state)
    conv = vgg.backbone.layer3[1]
    assert conv.weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.02)
    assert conv.bias.abs().max() == 0
    assert vgg.head.fc.weight.std().item() == pytest.approx(0.01, rel=0.02)
    # PyTorch's default: uniform, bounded by the root of one over the fan-in.
    conv = shuffle.backbone.layer2[1].branch2[0].conv
    assert conv.weight.abs().max().item() == pytest.approx(116**-0.5, rel=0.01)
    assert shuffle.head.fc.bias.abs().max() > 0
    assert wrn.head.fc.weight.abs().max().item() == pytest.approx(128**-0.5, rel=0.01)
    assert wrn.head.fc.bias.abs().max() == 0


@pytest.mark.parametrize(
    ('family', 'depth', 'allowed'),
    [
        (ResNetCIFAR, 18, r'6n \+ 2'),
        (ResNetCIFAR, 2, r'6n \+ 2'),
        (WideResNetCIFAR, 18, r'6n \+ 4'),
        (WideResNetCIFAR, 4, r'6n \+ 4'),
        (VGGCIFAR, 12, '8, 11, 13, 16, 19'),
    ],
)
def test_depths_that_do_not_exist(
    family: type[nn.Module], depth: int, allowed: str
) -> None:
    with pytest.raises(ValueError, match=rf'depth must be .*{allowed}.* got {depth}'):
        family(depth)


@pytest.mark.parametrize('indices', [(), (4,), (-1,), (0, 7)])
def test_out_indices_that_do_not_exist(indices: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match='out_indices must be one or more of 0 to 3'):
        WideResNetCIFAR(10, out_indices=indices)
