"""ShuffleNetV1 for 32x32 images."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd.models.backbones.staged import StagedBackbone, conv_bn
from mmkd.registry import MODELS


class ShuffleUnit(nn.Module):
    """Grouped 1x1, channel shuffle, depthwise 3x3, grouped 1x1.

    With stride 1 the input is added; with stride 2 the average-pooled input
    provides ``in_channels`` of the output channels. Unlike in
    MMPretrain's unit, a ReLU follows the 3x3 convolution, and the hidden width is
    a quarter of the branch's output, not the unit's, as in the published models.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: 1 or 2.
        groups: Groups of the last 1x1 convolution.
        first_groups: Groups of the first 1x1 convolution and the shuffle.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        groups: int,
        first_groups: int,
    ) -> None:
        super().__init__()
        self.pool = nn.AvgPool2d(3, stride=2, padding=1) if stride == 2 else None
        width = out_channels - in_channels if stride == 2 else out_channels
        hidden = width // 4
        self.branch = nn.Sequential(
            *conv_bn(in_channels, hidden, 1, groups=first_groups),
            nn.ChannelShuffle(first_groups),
            *conv_bn(hidden, hidden, 3, stride, groups=hidden),
            *conv_bn(hidden, width, 1, groups=groups, relu=False),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``."""
        if self.pool is None:
            return torch.relu(x + self.branch(x))
        return torch.relu(torch.cat([self.branch(x), self.pool(x)], dim=1))


@MODELS.register_module()
class ShuffleNetV1CIFAR(StagedBackbone):
    """ShuffleNetV1 with 3 groups and a 1x1 stem.

    `ShuffleNet <https://arxiv.org/abs/1707.01083>`_ in the form of the
    RepDistiller repository. For 32x32 images the maps of ``layer1``,
    ``layer2`` and ``layer3`` are 16x16, 8x8 and 4x4.

    Args:
        out_indices: Which of the three stages' maps to return, from 0.
        init_cfg: Initialisation of the weights.
    """

    def __init__(
        self,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        groups, width = 3, 24
        stem = nn.Sequential(*conv_bn(3, width, 1))
        stages: list[nn.Module] = []
        for channels, units in ((240, 4), (480, 8), (960, 4)):
            # The stem's few channels are not grouped.
            first_groups = groups if stages else 1
            stages.append(
                nn.Sequential(
                    ShuffleUnit(width, channels, 2, groups, first_groups),
                    *(
                        ShuffleUnit(channels, channels, 1, groups, groups)
                        for _ in range(units - 1)
                    ),
                )
            )
            width = channels
        super().__init__(stem, stages, None, out_indices, init_cfg)
