"""The nonlinear auxiliary classifier."""

from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.models.heads.linear import pointwise
from mmkd.models.norms import BatchNorm1d, BatchNorm2d
from mmkd.registry import MODELS


@MODELS.register_module()
class MLPClassifier(BaseModule):
    """``Linear -> Dropout -> BatchNorm -> ReLU -> Linear``.

    For pixels, the linear layers are 1x1 convolutions, and dropout drops single
    values, as for vectors.

    Source: Dual-Head KD's nonlinear auxiliary head, with its width 200 and
    dropout 0.1, for students very different from their teachers.

    Args:
        in_channels: Channels of the features.
        num_classes: Number of classes.
        spatial_dims: 0 for ``(N, C)``, 2 for ``(N, C, H, W)``.
        hidden_channels: Width of the hidden layer.
        dropout: Probability with which a hidden value is dropped.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps PyTorch's
            own.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        spatial_dims: int = 0,
        hidden_channels: int = 200,
        dropout: float = 0.1,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        norm = BatchNorm2d if spatial_dims else BatchNorm1d
        self.layers = nn.Sequential(
            pointwise(in_channels, hidden_channels, spatial_dims),
            nn.Dropout(dropout),
            norm(hidden_channels),
            nn.ReLU(inplace=True),
            pointwise(hidden_channels, num_classes, spatial_dims),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map features ``(N, C, *)`` to logits ``(N, K, *)``."""
        return self.layers(features)
