"""Small models of both tasks, and ten batches of noise for them."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from mmengine.structures import PixelData
from mmpretrain.structures import DataSample
from mmseg.structures import SegDataSample

STEPS, BATCH, CLASSES, IMAGES = 10, 8, 4, 24


class Images:
    """As much of the training set as a method looks at."""

    def __len__(self) -> int:
        return IMAGES

    def get_data_info(self, index: int) -> dict[str, int]:
        return dict(gt_label=index % CLASSES)


def two_stages(width: int) -> dict[str, Any]:
    """Settings of a ResNet of either library."""
    return dict(
        depth=18,
        num_stages=2,
        strides=(1, 2),
        dilations=(1, 1),
        stem_channels=width,
        base_channels=width,
    )


def classifier(width: int, classes: int = CLASSES) -> dict[str, Any]:
    return dict(
        type='mmpretrain.ImageClassifier',
        data_preprocessor=dict(
            type='mmpretrain.ClsDataPreprocessor', mean=[127.5] * 3, std=[60.0] * 3
        ),
        backbone=dict(
            type='mmpretrain.ResNet_CIFAR',
            **two_stages(width),
            out_indices=(1,),
        ),
        neck=dict(type='mmpretrain.GlobalAveragePooling'),
        head=dict(
            type='mmpretrain.LinearClsHead',
            num_classes=classes,
            in_channels=2 * width,
            loss=dict(type='mmpretrain.CrossEntropyLoss'),
        ),
    )


def segmentor(width: int) -> dict[str, Any]:
    return dict(
        type='mmseg.EncoderDecoder',
        data_preprocessor=dict(
            type='mmseg.SegDataPreProcessor',
            mean=[127.5] * 3,
            std=[60.0] * 3,
            size=(16, 16),
        ),
        backbone=dict(
            type='mmseg.ResNet',
            **two_stages(width),
            out_indices=(1,),
            norm_cfg=dict(type='BN'),
        ),
        decode_head=dict(
            type='mmseg.FCNHead',
            in_channels=2 * width,
            in_index=0,
            channels=6,
            num_convs=1,
            concat_input=False,
            dropout_ratio=0.0,
            num_classes=CLASSES,
            norm_cfg=dict(type='BN'),
            align_corners=False,
        ),
        test_cfg=dict(mode='whole'),
    )


def samples(
    pixels: bool = False, unlabelled: float = 0.0
) -> Iterator[dict[str, list[Any]]]:
    """Ten batches of noise, and how many of their pixels have no class."""
    generator = torch.Generator().manual_seed(0)
    draw = partial(torch.randint, generator=generator)
    for _ in range(STEPS):
        indices = torch.randperm(IMAGES, generator=generator)[:BATCH].tolist()
        images = [draw(256, (3, 16, 16)).to(torch.uint8) for _ in indices]
        if pixels:
            annotations: list[Any] = []
            for index in indices:
                sample = SegDataSample(
                    metainfo=dict(img_shape=(16, 16), img_path=f'{index}.png')
                )
                # One class a cell of the logits: none is ignored for a tie.
                labels = draw(CLASSES, (1, 2, 2))
                labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
                labels[torch.rand(labels.shape, generator=generator) < unlabelled] = 255
                sample.gt_sem_seg = PixelData(data=labels)
                annotations.append(sample)
        else:
            annotations = [
                DataSample(metainfo=dict(sample_idx=index)).set_gt_label(
                    index % CLASSES
                )
                for index in indices
            ]
        yield dict(inputs=images, data_samples=annotations)
