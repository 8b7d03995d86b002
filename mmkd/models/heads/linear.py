"""The linear auxiliary classifier."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.registry import MODELS


def pointwise(in_channels: int, out_channels: int, spatial_dims: int) -> nn.Module:
    """A linear layer over channels: of vectors, or at every pixel.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        spatial_dims: 0 for ``(N, C)``, 2 for ``(N, C, H, W)``, where the layer
            is a 1x1 convolution.

    Raises:
        ValueError: If ``spatial_dims`` is neither 0 nor 2.
    """
    if spatial_dims == 0:
        return nn.Linear(in_channels, out_channels)
    if spatial_dims == 2:
        return nn.Conv2d(in_channels, out_channels, 1)
    raise ValueError(f'spatial_dims must be 0 or 2, got {spatial_dims}')


@MODELS.register_module()
class LinearClassifier(BaseModule):
    """``Linear(in_channels, num_classes)``; for pixels, a 1x1 convolution.

    Source: Dual-Head KD's linear auxiliary head.

    Args:
        in_channels: Channels of the features.
        num_classes: Number of classes.
        spatial_dims: 0 for ``(N, C)``, 2 for ``(N, C, H, W)``.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps PyTorch's
            own.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        spatial_dims: int = 0,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.classifier = pointwise(in_channels, num_classes, spatial_dims)

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(N, C, *)`` to logits ``(N, K, *)``."""
        return self.classifier(features)
