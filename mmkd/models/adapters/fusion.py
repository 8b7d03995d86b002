"""The attention-based fusion of ReviewKD."""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmkd.models.norms import BatchNorm2d


class AttentionFusion(BaseModule):
    """Fuse a feature map with the deeper level's result, by learned weights.

    Both are brought to ``mid_channels`` channels and the feature's size. Two
    attention maps, computed from both, determine how much of each goes into the
    fused map. It is passed to the next shallower level and, after a 3x3
    convolution, compared with the teacher.

    Source: Chen et al., "Distilling Knowledge via Knowledge Review", the
    attention-based fusion of section 3.2; ``ABF`` in
    ``CIFAR-100/model/reviewkd.py`` of https://github.com/dvlab-research/ReviewKD.

    Args:
        in_channels: Channels of the student's feature map.
        mid_channels: Channels of fused maps.
        out_channels: Channels of the teacher's feature map.
        fuses: Whether there is a deeper level.
    """

    def __init__(
        self, in_channels: int, mid_channels: int, out_channels: int, fuses: bool
    ) -> None:
        super().__init__()
        self.enter = _conv_bn(in_channels, mid_channels, 1)
        self.leave = _conv_bn(mid_channels, out_channels, 3)
        self.attention = None
        if fuses:
            self.attention = nn.Sequential(
                nn.Conv2d(2 * mid_channels, 2, 1), nn.Sigmoid()
            )

    def forward(
        self, features: Tensor, deeper: Tensor | None, size: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Fuse one level.

        Args:
            features: The student's feature map ``(N, in_channels, H, W)``.
            deeper: The deeper level's fused map ``(N, mid_channels, *)``, or
                None at the deepest level.
            size: Height and width of the teacher's feature map.

        Returns:
            The map to compare with the teacher, ``(N, out_channels, *size)``, and
            the fused map ``(N, mid_channels, *size)``.
        """
        fused = self.enter(features)
        if self.attention is not None and deeper is not None:
            deeper = interpolate(deeper, fused.shape[2:])
            own, other = self.attention(torch.cat([fused, deeper], 1)).split(1, 1)
            fused = own * fused + other * deeper
        if tuple(fused.shape[2:]) != tuple(size):
            fused = interpolate(fused, tuple(size))
        return self.leave(fused), fused


def _conv_bn(in_channels: int, out_channels: int, kernel_size: int) -> nn.Module:
    conv = nn.Conv2d(
        in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False
    )
    nn.init.kaiming_uniform_(conv.weight, a=1)
    return nn.Sequential(conv, BatchNorm2d(out_channels))
