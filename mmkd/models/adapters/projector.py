"""The nonlinear projection of CIRKD."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmkd.models.norms import BatchNorm2d


class Projector(BaseModule):
    """1x1 convolution, BatchNorm, ReLU, 1x1 convolution, per pixel.

    Source: the projection head of ``losses/cirkd_memory.py`` in
    https://github.com/winycg/CIRKD.

    Args:
        in_channels: Channels of the student's features.
        out_channels: Channels of the teacher's features.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, out_channels, 1, bias=False),
            BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(out_channels, out_channels, 1, bias=False),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H, W)``."""
        return self.layers(features)
