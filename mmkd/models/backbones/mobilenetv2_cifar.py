"""MobileNetV2 for 32x32 images."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmkd.models.backbones.staged import KAIMING, StagedBackbone, conv_bn
from mmkd.registry import MODELS

STAGES = (
    ((1, 16, 1, 1), (6, 24, 2, 1)),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
"""Per stage: expansion, channels at full width, blocks, first stride."""


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise 3x3, 1x1 projection without ReLU.

    Unlike MMPretrain's block, it has the first convolution even for an expansion
    of 1, as the published CIFAR models do.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the 3x3 convolution.
        expand_ratio: Hidden channels per input channel.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, expand_ratio: int
    ) -> None:
        super().__init__()
        self.is_residual = stride == 1 and in_channels == out_channels
        hidden = in_channels * expand_ratio
        self.conv = nn.Sequential(
            *conv_bn(in_channels, hidden, 1),
            *conv_bn(hidden, hidden, 3, stride, groups=hidden),
            *conv_bn(hidden, out_channels, 1, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``."""
        return x + self.conv(x) if self.is_residual else self.conv(x)


@MODELS.register_module()
class MobileNetV2CIFAR(StagedBackbone):
    """MobileNetV2 with ReLU and fewer strides, at half width by default.

    `MobileNetV2 <https://arxiv.org/abs/1801.04381>`_ in the form of the
    RepDistiller repository ("mobile_half"). For 32x32 images the maps of
    ``layer1`` to ``layer4`` are 16x16, 8x8, 4x4 and 2x2; the tail widens the
    last to 1280 channels, whatever the width of the rest.

    Args:
        widen_factor: Width of everything but the tail, 1 being MobileNetV2's;
            fractions of a channel are dropped.
        out_indices: Which maps to return: 0 to 3 for the stages, 4 for the tail.
        init_cfg: Initialisation of the weights.
    """

    def __init__(
        self,
        widen_factor: float = 0.5,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = KAIMING,
    ) -> None:
        width = int(32 * widen_factor)
        stem = nn.Sequential(*conv_bn(3, width, 3, stride=2))
        stages = []
        for settings in STAGES:
            blocks = []
            for expand_ratio, channels, count, first_stride in settings:
                out_channels = int(channels * widen_factor)
                for stride in [first_stride] + [1] * (count - 1):
                    blocks.append(
                        InvertedResidual(width, out_channels, stride, expand_ratio)
                    )
                    width = out_channels
            stages.append(nn.Sequential(*blocks))
        tail = nn.Sequential(*conv_bn(width, 1280, 1))
        super().__init__(stem, stages, tail, out_indices, init_cfg)
