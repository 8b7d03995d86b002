"""ShuffleNetV2 for 32x32 images."""

import math
from collections.abc import Sequence
from typing import Any

from mmpretrain.models.backbones.shufflenet_v2 import InvertedResidual
from torch import nn

from mmkd.models.backbones.staged import StagedBackbone, conv_bn
from mmkd.registry import MODELS

PYTORCH_INIT = {
    'type': 'Kaiming',
    'layer': 'Conv2d',
    'a': math.sqrt(5),
    'mode': 'fan_in',
    'nonlinearity': 'leaky_relu',
    'distribution': 'uniform',
}
"""PyTorch's default initialisation, which MMPretrain's units replace."""


@MODELS.register_module()
class ShuffleNetV2CIFAR(StagedBackbone):
    """ShuffleNetV2 1x with a 1x1 stem, built from MMPretrain's units.

    `ShuffleNet V2 <https://arxiv.org/abs/1807.11164>`_ in the form of the
    RepDistiller repository. For 32x32 images the maps of ``layer1``,
    ``layer2`` and ``layer3`` are 16x16, 8x8 and 4x4; the tail widens the last
    to 1024 channels.

    Args:
        out_indices: Which maps to return: 0 to 2 for the stages, 3 for the tail.
        init_cfg: Initialisation of the weights.
    """

    def __init__(
        self,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = PYTORCH_INIT,
    ) -> None:
        width = 24
        stem = nn.Sequential(*conv_bn(3, width, 1))
        stages = []
        for channels, units in ((116, 4), (232, 8), (464, 4)):
            stages.append(
                nn.Sequential(
                    InvertedResidual(width, channels, stride=2),
                    *(InvertedResidual(channels, channels) for _ in range(units - 1)),
                )
            )
            width = channels
        tail = nn.Sequential(*conv_bn(width, 1024, 1))
        super().__init__(stem, stages, tail, out_indices, init_cfg)
