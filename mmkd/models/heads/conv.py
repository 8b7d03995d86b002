"""The convolutional auxiliary classifier."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.models.heads.linear import pointwise
from mmkd.models.norms import BatchNorm2d
from mmkd.registry import MODELS


@MODELS.register_module()
class ConvClassifier(BaseModule):
    """Two 3x3 convolutions with BatchNorm and ReLU, then two linear layers.

    Its capacity is kept small on purpose: a strong classifier would hide how
    far two features are apart.

    Source: Wang et al., "Multi-Head Knowledge Distillation for Model
    Compression", section 3.1 (256 kernels). The paper leaves open how the map
    reaches the first linear layer and how wide that is; here images are pooled
    by a global average and the layer has as many channels as the convolutions,
    with a ReLU behind it. Per pixel nothing is pooled and the linear layers
    are 1x1 convolutions.

    Args:
        in_channels: Channels of the feature map.
        num_classes: Number of classes.
        spatial_dims: 0 to classify images, 2 to classify pixels.
        channels: Width of the convolutions and of the first linear layer.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps PyTorch's
            own.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        spatial_dims: int = 0,
        channels: int = 256,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        layers: list[nn.Module] = []
        for width in (in_channels, channels):
            layers += [
                nn.Conv2d(width, channels, 3, padding=1, bias=False),
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
        """Map features ``(N, C, H, W)`` to logits ``(N, K)`` or ``(N, K, H, W)``."""
        return self.layers(features)
