"""Every backbone of both libraries in a small form, and the stages found in it.

``python tests/helpers/backbones.py`` writes the table in ``docs/stages.md`` anew.
"""

import re
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from mmkd.models import probing
from mmkd.models.stages import find_stages
from mmkd.models.tokens import AS_IT_IS
from mmkd.registry import MODELS
from mmkd.setup import setup

PAGE = Path(__file__).parents[2] / 'docs/stages.md'
BN = dict(norm_cfg=dict(type='BN'))
R50 = dict(BN, depth=50)
D8 = dict(R50, strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4))
VIT = dict(arch='deit-tiny', img_size=64)
NARROW_VIT = dict(img_size=64, embed_dims=48, num_layers=12, num_heads=3)
STDC = dict(
    BN,
    type='mmseg.STDCNet',
    stdc_type='STDCNet1',
    in_channels=3,
    channels=(32, 64, 256, 512, 1024),
    bottleneck_type='cat',
    act_cfg=dict(type='ReLU'),
)
TWINS = dict(
    embed_dims=[64, 128, 256, 512],
    num_heads=[2, 4, 8, 16],
    mlp_ratios=[4, 4, 4, 4],
    out_indices=(0, 1, 2, 3),
    qkv_bias=True,
    norm_cfg=dict(type='LN'),
    depths=[2, 2, 3, 2],
    sr_ratios=[8, 4, 2, 1],
)
HRNET = {
    'stage1': dict(
        num_modules=1,
        num_branches=1,
        block='BOTTLENECK',
        num_blocks=(1,),
        num_channels=(64,),
    )
} | {
    f'stage{n}': dict(
        num_modules=1,
        num_branches=n,
        block='BASIC',
        num_blocks=(1, 1, 1, 1)[:n],
        num_channels=(18, 36, 72, 144)[:n],
    )
    for n in (2, 3, 4)
}

BACKBONES: dict[str, dict[str, Any]] = {
    'mmpretrain.AlexNet': {},
    'mmpretrain.BEiTViT': VIT,
    'mmpretrain.CSPDarkNet': dict(depth=53),
    'mmpretrain.CSPResNeXt': dict(depth=50),
    'mmpretrain.CSPResNet': dict(depth=50),
    'mmpretrain.Conformer': dict(arch='tiny'),
    'mmpretrain.ConvMixer': dict(arch='768/32'),
    'mmpretrain.ConvNeXt': dict(arch='atto'),
    'mmpretrain.DaViT': dict(arch='tiny'),
    'mmpretrain.DeiT3': dict(arch='s', img_size=64),
    'mmpretrain.DenseNet': dict(arch='121'),
    'mmpretrain.DistilledVisionTransformer': VIT,
    'mmpretrain.EdgeNeXt': dict(arch='xxsmall'),
    'mmpretrain.EfficientFormer': dict(arch='l1'),
    'mmpretrain.EfficientNet': dict(arch='b0'),
    'mmpretrain.EfficientNetV2': dict(arch='b0'),
    'mmpretrain.HRNet': dict(arch='w18'),
    'mmpretrain.HiViT': dict(arch='tiny'),
    'mmpretrain.HorNet': dict(arch='tiny'),
    'mmpretrain.InceptionV3': {},
    'mmpretrain.LeNet5': {},
    'mmpretrain.LeViT': dict(arch='128s'),
    'mmpretrain.MViT': dict(arch='tiny'),
    'mmpretrain.MixMIMTransformer': dict(arch='base'),
    'mmpretrain.MlpMixer': dict(arch='s'),
    'mmpretrain.MobileNetV2': {},
    'mmpretrain.MobileNetV3': {},
    'mmpretrain.MobileOne': dict(arch='s0'),
    'mmpretrain.MobileViT': dict(arch='xx_small'),
    'mmpretrain.PCPVT': dict(arch='small'),
    'mmpretrain.PoolFormer': dict(arch='s12'),
    'mmpretrain.PyramidVig': dict(arch='tiny'),
    'mmpretrain.RIFormer': dict(arch='s12'),
    'mmpretrain.RegNet': dict(arch='regnetx_400mf'),
    'mmpretrain.RepLKNet': dict(arch='31B'),
    'mmpretrain.RepMLPNet': dict(arch='B'),
    'mmpretrain.RepVGG': dict(arch='A0'),
    'mmpretrain.Res2Net': dict(depth=50),
    'mmpretrain.ResNeSt': dict(depth=50),
    'mmpretrain.ResNeXt': dict(depth=50),
    'mmpretrain.ResNet': dict(depth=18),
    'mmpretrain.ResNetV1c': dict(depth=50),
    'mmpretrain.ResNetV1d': dict(depth=50),
    'mmpretrain.ResNet_CIFAR': dict(depth=18),
    'mmpretrain.RevVisionTransformer': VIT,
    'mmpretrain.SEResNeXt': dict(depth=50),
    'mmpretrain.SEResNet': dict(depth=50),
    'mmpretrain.SVT': dict(arch='small'),
    'mmpretrain.ShuffleNetV1': {},
    'mmpretrain.ShuffleNetV2': {},
    'mmpretrain.SwinTransformer': dict(arch='tiny'),
    'mmpretrain.SwinTransformerV2': dict(arch='tiny', pad_small_map=True),
    'mmpretrain.T2T_ViT': dict(
        t2t_cfg=dict(token_dims=64, use_performer=False),
        num_layers=14,
        layer_cfgs=dict(num_heads=6, feedforward_channels=1152),
    ),
    'mmpretrain.TNT': {},
    'mmpretrain.TinyViT': dict(arch='5m'),
    'mmpretrain.VAN': dict(arch='tiny'),
    'mmpretrain.VGG': dict(depth=11),
    'mmpretrain.ViTEVA02': dict(arch='tiny'),
    'mmpretrain.ViTSAM': dict(arch='base'),
    'mmpretrain.Vig': dict(arch='tiny'),
    'mmpretrain.VisionTransformer': VIT,
    'mmpretrain.XCiT': dict(embed_dims=128, depth=12, num_heads=4, mlp_ratio=4.0),
    'mmseg.BEiT': NARROW_VIT
    | dict(out_indices=(3, 5, 7, 11), qv_bias=True, init_values=0.1),
    'mmseg.BiSeNetV1': dict(backbone_cfg=dict(BN, type='mmseg.ResNet', depth=18)),
    'mmseg.BiSeNetV2': {},
    'mmseg.CGNet': {},
    'mmseg.DDRNet': {},
    'mmseg.ERFNet': {},
    'mmseg.FastSCNN': {},
    'mmseg.HRNet': dict(extra=HRNET),
    'mmseg.ICNet': dict(
        backbone_cfg=dict(D8, type='mmseg.ResNetV1c'), layer_channels=(512, 2048)
    ),
    'mmseg.MAE': NARROW_VIT | dict(out_indices=(3, 5, 7, 11), init_values=1.0),
    'mmseg.MSCAN': dict(BN, embed_dims=[32, 64, 160, 256], depths=[3, 3, 5, 2]),
    'mmseg.MixVisionTransformer': dict(
        embed_dims=32, num_layers=[2, 2, 2, 2], num_heads=[1, 2, 5, 8]
    ),
    'mmseg.MobileNetV2': {},
    'mmseg.MobileNetV3': {},
    'mmseg.PCPVT': TWINS,
    'mmseg.PIDNet': dict(ppm_channels=96),
    'mmseg.ResNeSt': R50,
    'mmseg.ResNeXt': R50,
    'mmseg.ResNet': dict(BN, depth=18),
    'mmseg.ResNetV1c': D8,
    'mmseg.ResNetV1d': R50,
    'mmseg.STDCContextPathNet': dict(
        backbone_cfg=STDC,
        last_in_channels=(1024, 512),
        out_channels=128,
        ffm_cfg=dict(in_channels=384, out_channels=256, scale_factor=4),
    ),
    'mmseg.STDCNet': STDC,
    'mmseg.SVT': TWINS | dict(norm_after_stage=True, windiow_sizes=[7, 7, 7, 7]),
    'mmseg.SwinTransformer': dict(depths=(2, 2, 2, 2)),
    'mmseg.UNet': dict(base_channels=8, upsample_cfg=dict(type='mmseg.InterpConv')),
    'mmseg.VisionTransformer': NARROW_VIT | dict(out_indices=(2, 5, 8, 11)),
}

LEFT_OUT = {
    'mmpretrain.SparseConvNeXt': 'runs in masked pre-training alone',
    'mmpretrain.SparseResNet': 'runs in masked pre-training alone',
    'mmpretrain.TIMMBackbone': 'needs the package timm',
    'mmseg.TIMMBackbone': 'needs the package timm',
    'mmseg.VPD': 'needs the package ldm',
    'mmseg.DeconvModule': 'a part of UNet',
    'mmseg.InterpConv': 'a part of UNet',
}


class Bare(nn.Module):
    """A backbone where a model has it, and nothing else."""

    def __init__(self, name: str) -> None:
        super().__init__()
        setup()
        self.backbone = MODELS.build(dict(BACKBONES[name], type=name))

    def forward(self, images: Tensor, mode: str) -> Any:
        return self.backbone(images)


def stages(name: str) -> list[tuple[str, str, int, int]]:
    """Place, layout, stride and width of every stage of a backbone."""
    model = Bare(name)
    trace = probing.trace(model)
    found = []
    for tap in find_stages(model, trace):
        place = tap.path.removeprefix('backbone').removeprefix('.')
        place = f'{place}[{tap.number}]' if tap.number or not place else place
        layout = '' if tap.layout is AS_IT_IS else tap.layout.kind
        if tap.layout.extra:
            layout += f' after {tap.layout.extra}'
        _, width, rows, _ = trace.shape(tap)
        found.append((place, layout, round(trace.image_size[0] / rows), width))
    return found


def row(name: str) -> str:
    """A backbone's line of the table."""
    found = stages(name)
    columns = [
        f'`{name}`',
        '<br>'.join(f'`{place}`' for place, *_ in found),
        ', '.join(str(stride) for *_, stride, _ in found),
        ', '.join(str(width) for *_, width in found),
        ', '.join(dict.fromkeys(layout for _, layout, *_ in found if layout)) or 'maps',
    ]
    return f'| {" | ".join(columns)} |\n'


def rows_of_the_page() -> dict[str, str]:
    """The lines of the page's table by backbone."""
    lines = PAGE.read_text().splitlines(keepends=True)
    return {m[1]: line for line in lines if (m := re.match(r'\| `(mm\S+)`', line))}


if __name__ == '__main__':
    text = PAGE.read_text()
    head = re.search(r'\| backbone .*\n.*\n', text)
    assert head is not None
    end = text.index('\n\n', head.end() - 1) + 1
    table = ''.join(row(name) for name in BACKBONES)
    PAGE.write_text(text[: head.end()] + table + text[end:])
