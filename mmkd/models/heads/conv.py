"""The convolutional auxiliary classifier."""

import math
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.heads.linear import pointwise
from mmkd.models.norms import BatchNorm2d
from mmkd.registry import MODELS

LEAST = 4
"""Positions per side that a strided convolution leaves of an image's map."""


@MODELS.register_module()
class ConvClassifier(BaseModule):
    """Two 3x3 convolutions with BatchNorm and ReLU, then two linear layers.

    Its capacity is kept small on purpose: a strong classifier would hide how
    far apart two features are.

    Source: Wang et al., "Multi-Head Knowledge Distillation for Model
    Compression", section 3.1: 256 kernels of 3x3. The paper does not give
    their strides, how the map reaches the first linear layer, or the width of
    that layer. Here, image features are average-pooled globally, and that layer
    has the width of the convolutions and is followed by a ReLU. For pixels, which
    the paper does not cover, there is no pooling, the linear layers are 1x1
    convolutions, and the logits have the resolution of the coarser map.

    To classify images, each convolution has the largest stride of up to 3, with which
    its kernels do not overlap, that leaves at least 4x4 positions: maps of 32x32 become
    11x11 and 4x4. Both convolutions read the whole map. With fewer positions BatchNorm
    has too few values to normalise by (``docs/performance.md``).

    Args:
        in_channels: Channels of the feature map.
        num_classes: Number of classes.
        spatial_dims: 0 to classify images, 2 to classify pixels.
        channels: Width of the convolutions and of the first linear layer.
        stride: Stride of each of the two convolutions, up to 3; 1 keeps the map's size.
            None means 2 for pixels, and the above for images.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps PyTorch's
            own.

    Raises:
        ValueError: If the stride is another one.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        spatial_dims: int = 0,
        channels: int = 256,
        stride: int | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if stride not in (None, 1, 2, 3):
            raise ValueError(
                f'stride must be 1, 2 or 3, or None, got {stride!r}: with larger ones, '
                'the 3x3 kernels would leave positions out.'
            )
        if stride is None and spatial_dims:
            stride = 2
        layers: list[nn.Module] = []
        for width in (in_channels, channels):
            layers += [
                _convolution(width, channels, stride),
                BatchNorm2d(channels),
                nn.ReLU(inplace=True),
            ]
        if spatial_dims == 0:
            layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        layers += [
            pointwise(channels, channels, spatial_dims),
            nn.ReLU(inplace=True),
            pointwise(channels, num_classes, spatial_dims),
        ]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Classify a map, or its positions.

        Args:
            features: ``(N, C, H, W)``, of any size.

        Returns:
            Logits ``(N, K)``, or for pixels ``(N, K, H', W')`` with each side divided
            by ``stride`` twice and rounded up.
        """
        return self.layers(features)


def _convolution(in_channels: int, channels: int, stride: int | None) -> nn.Conv2d:
    """A 3x3 convolution that reads every position of a map."""
    if stride is None or stride > 2:
        return _Covering(in_channels, channels, stride)
    return nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)


class _Covering(nn.Conv2d):
    """A 3x3 convolution padded as little as its windows need to cover a map.

    Args:
        in_channels: Channels of the map.
        channels: How many it computes.
        stride: Its stride; None for the largest up to 3 that leaves enough positions.
    """

    def __init__(self, in_channels: int, channels: int, stride: int | None) -> None:
        super().__init__(in_channels, channels, 3, stride or 1, bias=False)
        self.fixed = stride

    def forward(self, features: Tensor) -> Tensor:
        """Convolve the map, each side of which is divided by the stride, rounded up."""
        sides = features.shape[2:]
        least = min(sides, default=1)
        fitting = (each for each in (3, 2) if least > (LEAST - 1) * each)
        stride = self.fixed or next(fitting, 1)
        around: list[int] = []
        for side in reversed(sides):
            missing = max((math.ceil(side / stride) - 1) * stride + 3 - side, 0)
            around += [missing // 2, missing - missing // 2]
        return F.conv2d(F.pad(features, around), self.weight, stride=stride)
