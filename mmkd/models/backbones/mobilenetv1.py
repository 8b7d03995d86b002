"""MobileNetV1 for ImageNet."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from mmkd.models.backbones.staged import StagedBackbone, conv_bn
from mmkd.registry import MODELS


@MODELS.register_module()
class MobileNetV1(StagedBackbone):
    """MobileNetV1 at full width, with ReLU.

    `MobileNets <https://arxiv.org/abs/1704.04861>`_, the ImageNet student of
    CRD, ReviewKD, DKD and DHKD. For 224x224 images the maps of ``layer1`` to
    ``layer4`` are 56x56, 28x28, 14x14 and 7x7, of 128, 256, 512 and 1024
    channels.

    Args:
        out_indices: Which of the four stages' maps to return, from 0.
        init_cfg: Initialisation of the weights.
    """

    def __init__(
        self,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        width = 64
        stem = nn.Sequential(*conv_bn(3, 32, 3, stride=2), *separable(32, width, 1))
        stages = []
        for channels, blocks in ((128, 2), (256, 2), (512, 6), (1024, 2)):
            modules = separable(width, channels, 2)
            for _ in range(blocks - 1):
                modules += separable(channels, channels, 1)
            stages.append(nn.Sequential(*modules))
            width = channels
        super().__init__(stem, stages, None, out_indices, init_cfg)


def separable(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    """A depthwise 3x3 and a 1x1 convolution, each with BatchNorm and ReLU.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the 3x3 convolution.

    Returns:
        The modules in the order they run.
    """
    return [
        *conv_bn(in_channels, in_channels, 3, stride, groups=in_channels),
        *conv_bn(in_channels, out_channels, 1),
    ]
