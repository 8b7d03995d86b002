import copy
from typing import Any

import backbones
import heads
import mmpretrain.models
import mmseg.models
import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from mmkd.models import ModelView, build_model, capture

QUICK = [
    'mmpretrain.AlexNet',
    'mmpretrain.DistilledVisionTransformer',
    'mmpretrain.EfficientFormer',
    'mmpretrain.EfficientNet',
    'mmpretrain.LeViT',
    'mmpretrain.MobileNetV3',
    'mmpretrain.MobileOne',
    'mmpretrain.TinyViT',
    'mmpretrain.VAN',
    'mmpretrain.VGG',
    'mmpretrain.ViTEVA02',
    'mmseg.BEiT',
    'mmseg.ERFNet',
    'mmseg.HRNet',
    'mmseg.MSCAN',
    'mmseg.MixVisionTransformer',
    'mmseg.MobileNetV3',
    'mmseg.PIDNet',
    'mmseg.ResNetV1c',
    'mmseg.STDCNet',
]


@pytest.mark.parametrize('name', QUICK)
def test_stages_are_those_of_the_page(name: str) -> None:
    assert backbones.row(name) == backbones.rows_of_the_page()[name]


@pytest.mark.soak
@pytest.mark.parametrize('name', sorted(set(backbones.BACKBONES) - set(QUICK)))
def test_all_stages_are_those_of_the_page(name: str) -> None:
    assert backbones.row(name) == backbones.rows_of_the_page()[name]


def test_page_has_every_backbone_that_is_registered() -> None:
    registered = {
        f'{library}.{name}'
        for library, models in (('mmpretrain', mmpretrain), ('mmseg', mmseg))
        for name, kind in models.registry.MODELS.module_dict.items()
        if kind.__module__.startswith(f'{library}.models.backbones')
    }
    assert registered <= set(backbones.BACKBONES) | set(backbones.LEFT_OUT)
    assert set(backbones.rows_of_the_page()) == set(backbones.BACKBONES)


def test_a_backbone_of_masked_pretraining_is_refused(tiny: Any) -> None:
    model = tiny.classifier()
    model['backbone'].update(
        type='mmpretrain.SparseResNet', depth=50, norm_cfg=dict(type='BN')
    )
    model['head']['in_channels'] = 32
    message = 'The teacher: ImageClassifier does not run on a blank image'
    with pytest.raises(ValueError, match=message):
        assert view(model, 'teacher').stages


def vit(layers: int = 6, width: int = 8, **changes: Any) -> dict[str, Any]:
    backbone = dict(
        type='mmpretrain.VisionTransformer',
        arch=dict(
            embed_dims=width,
            num_layers=layers,
            num_heads=2,
            feedforward_channels=2 * width,
        ),
        img_size=32,
        patch_size=8,
    )
    return dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(
            type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[60.0] * 3
        ),
        backbone=backbone | changes,
        head=dict(
            type='mmpretrain.VisionTransformerClsHead',
            num_classes=4,
            in_channels=width,
        ),
    )


def swin(width: int = 12) -> dict[str, Any]:
    model = vit()
    model['backbone'] = dict(
        type='mmpretrain.SwinTransformer',
        arch=dict(embed_dims=width, depths=[1, 1, 1], num_heads=[1, 2, 3]),
        img_size=32,
        out_indices=(2,),
        pad_small_map=True,
    )
    model['neck'] = dict(type='mmpretrain.GlobalAveragePooling')
    model['head'] = dict(
        type='mmpretrain.LinearClsHead', num_classes=4, in_channels=4 * width
    )
    return model


def mit(returns: tuple[int, ...] = (0, 1, 2)) -> dict[str, Any]:
    return dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[60.0] * 3,
            size=(32, 32),
        ),
        backbone=dict(
            type='mmseg.MixVisionTransformer',
            embed_dims=4,
            num_stages=3,
            num_layers=[1, 2, 1],
            num_heads=[1, 2, 4],
            patch_sizes=[7, 3, 3],
            strides=(4, 2, 2),
            sr_ratios=(2, 1, 1),
            out_indices=returns,
            mlp_ratio=2,
        ),
        decode_head=dict(
            type='mmseg.SegformerHead',
            in_channels=[4 * 2**n for n in range(len(returns))],
            in_index=list(range(len(returns))),
            channels=6,
            num_classes=4,
            norm_cfg=dict(type='BN'),
            align_corners=False,
        ),
        test_cfg=dict(mode='whole'),
    )


def places(view: ModelView) -> list[tuple[str, int]]:
    return [(tap.path, tap.number) for tap in view.stages]


def view(config: dict[str, Any], role: str = 'model') -> ModelView:
    torch.manual_seed(0)
    return ModelView(build_model(copy.deepcopy(config)), role=role)


def captured(view: ModelView, images: Tensor) -> list[Tensor]:
    view.model.eval()
    with (
        torch.no_grad(),
        capture(view.model, view.stages, image_size=images.shape[2:]) as values,
    ):
        view.model(images, mode='tensor')
    return [values[tap] for tap in view.stages]


def test_a_transformer_of_one_size_is_split_in_thirds() -> None:
    found = view(vit(layers=7))

    assert places(found) == [
        ('backbone.layers.2', 0),
        ('backbone.layers.4', 0),
        ('backbone.layers.6', 0),
    ]
    assert all(found.shape(tap) == (1, 8, 8, 8) for tap in found.stages)


def test_a_transformer_of_one_size_is_split_at_its_out_indices() -> None:
    vectors = view(vit(out_indices=(0, 3, 4)))
    model = vit(out_indices=(0, 3, 4), out_type='featmap')
    model['neck'] = dict(type='mmpretrain.GlobalAveragePooling')
    model['head'].update(type='mmpretrain.LinearClsHead')
    maps = view(model)

    assert places(vectors) == [(f'backbone.layers.{n}', 0) for n in (0, 3, 4)]
    assert places(maps) == [('backbone', 0), ('backbone', 1), ('backbone', 2)]
    torch.testing.assert_close(
        captured(vectors, torch.ones(2, 3, 32, 32))[:2],
        captured(maps, torch.ones(2, 3, 32, 32))[:2],
    )


def test_maps_that_a_backbone_returns_are_its_stages() -> None:
    found = view(mit())
    images = torch.randn(2, 3, 32, 64)

    assert places(found) == [('backbone', 0), ('backbone', 1), ('backbone', 2)]
    values = captured(found, images)
    with torch.no_grad():
        expected = found.model.backbone(images)
    assert [value.shape[1:] for value in values] == [(4, 8, 16), (8, 4, 8), (16, 2, 4)]
    torch.testing.assert_close(values, list(expected), rtol=0, atol=0)


def test_tokens_become_the_maps_that_the_backbone_makes_of_them() -> None:
    found = view(mit(returns=(0,)))
    images = torch.randn(2, 3, 32, 96)

    assert places(found)[0] == ('backbone.layers.0.1.0', 0)
    value = captured(found, images)[0]
    with torch.no_grad():
        expected = found.model.backbone(images)[0]
        value = found.model.backbone.layers[0][2](value.movedim(1, -1)).movedim(-1, 1)
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize('layers', [1, 2])
def test_too_few_blocks_have_no_stages(tiny: Any, layers: int) -> None:
    message = f'has no stages: its backbone VisionTransformer has {layers} blocks'
    for role in ('student', 'teacher'):
        few = {'student': vit(), 'teacher': vit()} | {role: vit(layers)}
        with pytest.raises(ValueError, match=f'the {role} ImageClassifier {message}'):
            tiny.distiller(
                'images',
                dict(hint=dict(type='FitNet')),
                student=few['student'],
                teacher=tiny.teacher(few['teacher']),
            )
    named = view(vit(layers)).stage('backbone.layers.0')
    assert named.layout.kind == 'tokens'


class Twice(nn.Module):
    """Dilated blocks that return to a smaller dilation are one stage."""

    def __init__(self, dilations: list[int]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks1 = nn.ModuleList(
            nn.Conv2d(4, 4, 3, padding=d, dilation=d) for d in dilations
        )
        self.down = nn.Conv2d(4, 4, 3, stride=2, padding=1)
        self.blocks2 = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1) for _ in range(2))

    def forward(self, images: Tensor) -> tuple[Tensor]:
        value = self.stem(images)
        for block in self.blocks1:
            value = block(value)
        value = self.down(value)
        for block in self.blocks2:
            value = block(value)
        return (value,)


@pytest.mark.parametrize(
    ('dilations', 'ends'),
    [
        ([1, 2, 4], ['blocks1.0', 'blocks1.1', 'blocks1.2', 'blocks2.1']),
        ([2, 4, 2, 4], ['blocks1.3', 'blocks2.1']),
    ],
)
def test_dilation_counts_where_it_stands_for_strides(
    tiny: Any, dilations: list[int], ends: list[str]
) -> None:
    model = tiny.segmentor(backbone=dict(type=Twice, dilations=dilations))
    model['decode_head'].update(in_channels=4, in_index=0)
    model['auxiliary_head'] = None

    found = [path for path, _ in places(view(model))]

    assert found == [f'backbone.{end}' for end in ends]


ALL = dict(
    hint=dict(type='FitNet'),
    review=dict(type='ReviewKD'),
    heads=dict(type='MultiHead', head=dict(type='ConvClassifier', channels=4)),
)
PAIRS = {
    'ViT to ViT': ('images', vit(), vit(width=12)),
    'Swin to ViT': ('images', vit(), swin()),
    'ViT to Swin': ('images', swin(), vit()),
    'SegFormer to SegFormer': ('pixels', mit(), mit()),
}


@pytest.mark.parametrize('pair', PAIRS)
def test_transformers_are_taught_at_their_stages(tiny: Any, pair: str) -> None:
    task, student, teacher = PAIRS[pair]
    distiller = tiny.distiller(
        task, copy.deepcopy(ALL), student=student, teacher=tiny.teacher(teacher)
    )
    wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=0.01))

    losses = distiller.train().train_step(tiny.batch(task, size=32), wrapper)

    assert all(losses[f'distill.{name}.{key}'] > 0 for name, key in TERMS)


TERMS = [('hint', 'loss'), ('review', 'loss'), ('heads', 'loss_student_heads')]


def test_a_vector_is_no_stage_of_the_teacher(tiny: Any) -> None:
    with pytest.raises(ValueError, match=r'outputs .* stage of the teacher'):
        tiny.distiller(
            'images',
            dict(hint=dict(type='FitNet', teacher_stage='head.layers.head')),
            student=vit(),
            teacher=tiny.teacher(vit()),
        )
    with pytest.raises(
        ValueError,
        match=r"cannot read .* 'head.layers.head' in the student .*\(1, 4\)",
    ):
        tiny.distiller(
            'images',
            dict(
                heads=dict(
                    type='MultiHead', stages=['head.layers.head'], teacher_stages=[0]
                )
            ),
            student=vit(),
            teacher=tiny.teacher(vit()),
        )


@pytest.mark.parametrize('kind', ['SKD', 'IFVD', 'CIRKD'])
def test_a_vector_is_no_map_of_pixels(tiny: Any, kind: str) -> None:
    config = heads.pixels(tiny, 'EncHead')
    vector = dict(type=kind, stage=0, teacher_stage='decode_head.enc_module.fc')

    with pytest.raises(ValueError, match=r'fc. of .* outputs .* stage of the teacher'):
        tiny.distiller(
            'pixels', dict(it=vector), student=config, teacher=tiny.teacher(config)
        )


def test_how_often_building_a_distiller_runs_its_models(tiny: Any, task: str) -> None:
    runs: list[int] = []
    build = nn.Module.__call__

    def counted(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get('mode') == 'tensor':
            runs.append(len(args[0]))
        return build(module, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Module, '__call__', counted)
        tiny.distiller(
            task,
            dict(
                kd=dict(type='LogitsKD'),
                dual_head=dict(type='DualHead'),
                hint=dict(type='FitNet'),
                heads=dict(type='MultiHead', stages=(0, 1)),
            ),
        )

    # Once each for discovery, and once more for folding the teacher.
    assert runs == [1, 1, 2]
