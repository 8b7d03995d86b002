"""The convolutional auxiliary classifier."""

from typing import Any

from mmcv.cnn.bricks import Conv2dAdaptivePadding
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.models.heads.linear import pointwise
from mmkd.models.norms import BatchNorm2d
from mmkd.registry import MODELS


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

    The strides are the largest whose kernels, with the padding they need, leave no
    position of a map out. With 3 they do not overlap; the first convolution costs a
    ninth and the second an eighty-first of what they cost on the whole map.
    ``docs/results.md`` says what that does to the student. With 2 they overlap.

    Args:
        in_channels: Channels of the feature map.
        num_classes: Number of classes.
        spatial_dims: 0 to classify images, 2 to classify pixels.
        channels: Width of the convolutions and of the first linear layer.
        stride: Stride of each of the two convolutions; 1 keeps the map's size. None
            means 3 for images and 2 for pixels.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps PyTorch's
            own.
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
        if stride is None:
            stride = 2 if spatial_dims else 3
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


def _convolution(in_channels: int, channels: int, stride: int) -> nn.Conv2d:
    """A 3x3 convolution that reads every position of a map."""
    if stride < 3:
        return nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
    # A position of padding on each side would move the last kernel off the map.
    return Conv2dAdaptivePadding(in_channels, channels, 3, stride, bias=False)
