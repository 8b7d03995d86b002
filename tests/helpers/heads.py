"""A tiny model for every head of both libraries that can be built here."""

import copy
from typing import Any

import torch
from mmengine.structures import PixelData
from torch import Tensor, nn

CLASSES = 4
MMCV = 'needs the compiled operators of MMCV'
MMDET = 'needs MMDetection'
PRETRAINS = 'pre-trains without classes'
LEFT_OUT = {
    'mmseg.CCHead': MMCV,
    'mmseg.PSAHead': MMCV,
    'mmseg.PointHead': MMCV,
    'mmseg.MaskFormerHead': MMDET,
    'mmseg.Mask2FormerHead': MMDET,
    'mmseg.SideAdapterCLIPHead': MMDET,
    'mmseg.VPDDepthHead': 'predicts depth, no classes',
    'mmseg.KernelUpdateHead': 'a part of IterativeDecodeHead',
    'mmseg.KernelUpdator': 'a part of IterativeDecodeHead',
    'mmseg.STDCHead': 'predicts edges beside another head',
    'mmseg.LightHamHead': 'draws random bases in every forward',
    'mmpretrain.MultiTaskHead': 'several tasks at once: refused, see test_identity.py',
    'mmpretrain.LinearRegressionHead': 'predicts numbers, no classes',
    'mmpretrain.RegressionHead': 'predicts numbers, no classes',
} | {
    f'mmpretrain.{name}': PRETRAINS
    for name in (
        'BEiTV1Head',
        'BEiTV2Head',
        'CAEHead',
        'ContrastiveHead',
        'GroundingHead',
        'ITCHead',
        'ITMHead',
        'LatentCrossCorrelationHead',
        'LatentPredictHead',
        'MAEPretrainHead',
        'MIMHead',
        'MixMIMPretrainHead',
        'MoCoV3Head',
        'SeqGenerationHead',
        'SimMIMHead',
        'SparKPretrainHead',
        'SwAVHead',
        'VQAGenerationHead',
        'iTPNClipHead',
    )
}

ONE: dict[str, Any] = dict(
    in_channels=32,
    in_index=3,
    channels=8,
    num_classes=CLASSES,
    norm_cfg=dict(type='BN'),
    align_corners=False,
    dropout_ratio=0.1,
)
ALL = ONE | dict(in_channels=[4, 8, 16, 32], in_index=[0, 1, 2, 3])
FCN = dict(ONE, type='mmseg.FCNHead', num_convs=1)
LOSS = dict(type='mmseg.CrossEntropyLoss')
OHEM = dict(type='mmseg.OhemCrossEntropy', min_kept=10)
UPDATE = dict(
    type='mmseg.KernelUpdateHead',
    num_classes=CLASSES,
    num_heads=2,
    num_mask_fcs=1,
    feedforward_channels=16,
    in_channels=8,
    out_channels=8,
    conv_kernel_size=1,
    with_ffn=True,
    feat_transform_cfg=dict(conv_cfg=dict(type='Conv2d'), act_cfg=None),
    kernel_updator_cfg=dict(
        type='mmseg.KernelUpdator',
        in_channels=8,
        feat_channels=8,
        out_channels=8,
        act_cfg=dict(type='ReLU'),
        norm_cfg=dict(type='LN'),
    ),
)

PIXELS: dict[str, Any] = {
    'ANNHead': ONE | dict(in_channels=[16, 32], in_index=[2, 3], project_channels=4),
    'APCHead': ONE | dict(pool_scales=(1, 2)),
    'ASPPHead': ONE | dict(dilations=(1, 2)),
    'DAHead': ONE | dict(pam_channels=4),
    'DDRHead': ONE | dict(in_channels=16, in_index=-1, loss_decode=[LOSS] * 2),
    'DMHead': ONE | dict(filter_sizes=(1, 3)),
    'DNLHead': ONE,
    'DPTHead': ALL
    | dict(
        in_channels=(8, 8, 8, 8),
        input_transform='multiple_select',
        embed_dims=8,
        post_process_channels=[4, 4, 8, 8],
        patch_size=8,
    ),
    'DepthwiseSeparableASPPHead': ONE
    | dict(dilations=(1, 2), c1_in_channels=4, c1_channels=4),
    'DepthwiseSeparableFCNHead': ONE,
    'EMAHead': ONE | dict(ema_channels=8, num_bases=4, num_stages=2),
    'EncHead': ONE
    | dict(
        in_channels=[8, 16, 32],
        in_index=[1, 2, 3],
        num_codes=4,
        loss_se_decode=dict(type='mmseg.CrossEntropyLoss', use_sigmoid=True),
    ),
    'FCNHead': ONE,
    'FPNHead': ALL | dict(feature_strides=[4, 8, 16, 32]),
    'GCHead': ONE,
    'ISAHead': ONE | dict(isa_channels=4, down_factor=(2, 2)),
    'IterativeDecodeHead': dict(
        num_stages=2,
        kernel_update_head=[UPDATE, UPDATE],
        kernel_generate_head=FCN | dict(concat_input=False),
    ),
    'LRASPPHead': ONE
    | dict(
        in_channels=(4, 8, 32),
        in_index=(0, 1, 3),
        branch_channels=(4, 4),
        input_transform='multiple_select',
    ),
    'NLHead': ONE,
    'OCRHead': ONE | dict(ocr_channels=4),
    'PIDHead': ONE
    | dict(
        in_channels=16,
        in_index=-1,
        loss_decode=[LOSS, OHEM, dict(type='mmseg.BoundaryLoss'), OHEM],
    ),
    'PSPHead': ONE | dict(pool_scales=(1, 2)),
    'SETRMLAHead': ALL
    | dict(in_channels=[8, 8, 8, 8], channels=16, mla_channels=4, up_scale=2),
    'SETRUPHead': ONE | dict(num_convs=1, up_scale=2),
    'SegformerHead': ALL,
    'SegmenterMaskTransformerHead': ONE
    | dict(num_layers=1, num_heads=2, embed_dims=8, norm_cfg=dict(type='LN')),
    'UPerHead': ALL | dict(pool_scales=(1, 2)),
}
VIT = dict(embed_dims=8, num_layers=4, num_heads=2, feedforward_channels=16)
SEG_VIT = dict(
    type='mmseg.VisionTransformer',
    img_size=32,
    patch_size=8,
    embed_dims=8,
    num_layers=4,
    num_heads=2,
    out_indices=(0, 1, 2, 3),
)
BRANCHES = dict(channels=4, ppm_channels=4)
SEG_BACKBONES = {
    'DDRHead': BRANCHES | dict(type='mmseg.DDRNet'),
    'PIDHead': BRANCHES | dict(type='mmseg.PIDNet'),
    'DPTHead': SEG_VIT | dict(output_cls_token=True, final_norm=False),
    'SETRMLAHead': SEG_VIT,
}

MULTI_LABEL = dict(loss=dict(type='mmpretrain.CrossEntropyLoss', use_sigmoid=True))
IMAGES: dict[str, dict[str, Any]] = {
    'ArcFaceClsHead': dict(loss=dict(type='mmpretrain.CrossEntropyLoss')),
    'CSRAClsHead': MULTI_LABEL | dict(num_heads=2, lam=0.1),
    'ClsHead': {},
    'ConformerHead': dict(in_channels=[64, 8]),
    'DeiTClsHead': {},
    'EfficientFormerClsHead': dict(in_channels=8, distillation=False),
    'LeViTClsHead': dict(distillation=False),
    'LinearClsHead': {},
    'MultiLabelClsHead': MULTI_LABEL,
    'MultiLabelLinearClsHead': MULTI_LABEL,
    'StackedLinearClsHead': dict(mid_channels=[6]),
    'VigClsHead': dict(hidden_dim=6),
    'VisionTransformerClsHead': dict(hidden_dim=6),
}


class Classifying(nn.Module):
    """A backbone that ends in a classifier, as VGG and AlexNet can."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv2d(width, 8, 3, 2, 1) for width in (3, 8, 8)
        )
        self.fc = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> tuple[Tensor]:
        for layer in self.layers:
            images = layer(images).relu()
        return (self.fc(images.mean((2, 3))),)


CLS_VIT = dict(arch=VIT, img_size=32, patch_size=8)
CLS_BACKBONES = {
    'ClsHead': dict(type=Classifying),
    'MultiLabelClsHead': dict(type=Classifying),
    'ConformerHead': dict(
        type='mmpretrain.Conformer',
        arch=dict(embed_dims=8, channel_ratio=1, num_heads=2, depths=3),
        base_channels=16,
    ),
    'DeiTClsHead': CLS_VIT | dict(type='mmpretrain.DistilledVisionTransformer'),
    'EfficientFormerClsHead': dict(
        type='mmpretrain.EfficientFormer',
        arch=dict(
            layers=[1, 1, 1, 2],
            embed_dims=[4, 8, 8, 8],
            downsamples=[False, True, True, True],
            vit_num=1,
        ),
    ),
    'VisionTransformerClsHead': CLS_VIT | dict(type='mmpretrain.VisionTransformer'),
}

SIZES = {'ConformerHead': 64, 'EfficientFormerClsHead': 224, 'LRASPPHead': 224}
"""Height and width of the images, where other than 32."""

NEEDS_TRAINING = ('DDRHead', 'IterativeDecodeHead', 'PIDHead')
"""Heads whose loss asks for outputs that they have in training mode alone."""


def pixels(tiny: Any, name: str) -> dict[str, Any]:
    """The config of a segmentor with a head."""
    model = tiny.segmentor(auxiliary_head=None)
    strides = (1, 1, 1, 1) if name == 'LRASPPHead' else (1, 2, 1, 1)
    model['backbone'].update(
        num_stages=4, strides=strides, dilations=(1, 1, 1, 1), out_indices=(0, 1, 2, 3)
    )
    model['backbone'] = SEG_BACKBONES.get(name, model['backbone'])
    model['decode_head'] = PIXELS[name] | dict(type=f'mmseg.{name}')
    if name == 'OCRHead':
        model.update(type='mmseg.CascadeEncoderDecoder', num_stages=2)
        model['decode_head'] = [FCN, model['decode_head']]
    return copy.deepcopy(model)


def images(tiny: Any, name: str) -> dict[str, Any]:
    """The config of a classifier with a head."""
    model = tiny.classifier()
    head = dict(num_classes=CLASSES, in_channels=8) | IMAGES[name]
    if name in CLS_BACKBONES:
        model['backbone'], model['neck'] = CLS_BACKBONES[name], None
    if name in ('ClsHead', 'MultiLabelClsHead'):
        head = IMAGES[name]
    if name == 'CSRAClsHead':
        model['neck'] = None
    if name == 'EfficientFormerClsHead':
        model['neck'] = dict(type='mmpretrain.GlobalAveragePooling', dim=1)
    model['head'] = head | dict(type=f'mmpretrain.{name}')
    return copy.deepcopy(model)


NO_SOFTMAX = ('CSRAClsHead', 'MultiLabelClsHead', 'MultiLabelLinearClsHead')

NAMES = [('pixels', name) for name in PIXELS] + [('images', name) for name in IMAGES]


def batch_of(tiny: Any, task: str, name: str) -> dict[str, Any]:
    settings = dict(size=SIZES.get(name, 32))
    if name in NEEDS_TRAINING:
        settings['ignored'] = 0.0
    batch = tiny.batch(task, **settings)
    for sample in batch['data_samples']:
        if name in NO_SOFTMAX:
            sample.set_gt_score(torch.tensor([1.0, 0.0, 1.0, 0.0]))
        if name == 'PIDHead':
            edges = torch.zeros_like(sample.gt_sem_seg.data)
            sample.gt_edge_map = PixelData(data=edges)
    return batch
