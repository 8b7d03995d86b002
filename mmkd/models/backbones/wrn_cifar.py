"""Wide residual networks for 32x32 images."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from mmkd.models.backbones.staged import KAIMING, StagedBackbone
from mmkd.registry import MODELS


class PreActBlock(nn.Module):
    """BatchNorm and ReLU before each of two 3x3 convolutions, plus a shortcut.

    Where the width changes, the shortcut is a 1x1 convolution of the activated
    input; elsewhere it is the input itself.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        stride: Stride of the first convolution and the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(
            in_channels, out_channels, 3, stride, padding=1, bias=False
        )
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.relu = nn.ReLU()
        self.shortcut: nn.Module | None = None
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(N, in_channels, H, W)`` to ``(N, out_channels, H', W')``."""
        active = self.relu(self.bn1(x))
        residual = self.conv2(self.relu(self.bn2(self.conv1(active))))
        return residual + (x if self.shortcut is None else self.shortcut(active))


@MODELS.register_module()
class WideResNetCIFAR(StagedBackbone):
    """WRN-depth-width of Zagoruyko and Komodakis, without dropout.

    `Wide Residual Networks <https://arxiv.org/abs/1605.07146>`_ in the form of
    the RepDistiller repository. A stage (``layer1`` to ``layer3``, maps of
    32x32, 16x16 and 8x8) ends with a sum that is not yet normalised; the tail
    is the BatchNorm and ReLU before the pooling.

    Args:
        depth: ``6n + 4`` layers for ``n`` blocks per stage.
        widen_factor: Width of the stages, in units of 16, 32 and 64 channels.
        out_indices: Which maps to return: 0 to 2 for the stages, 3 for the tail.
        init_cfg: Initialisation of the weights.

    Raises:
        ValueError: If ``depth`` is not ``6n + 4``.
    """

    def __init__(
        self,
        depth: int,
        widen_factor: int = 1,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = KAIMING,
    ) -> None:
        blocks, rest = divmod(depth - 4, 6)
        if rest or blocks < 1:
            raise ValueError(f'depth must be 6n + 4 (10, 16, 22, ...), got {depth!r}')
        stages, width = [], 16
        for stride, channels in ((1, 16), (2, 32), (2, 64)):
            out_channels = channels * widen_factor
            stages.append(
                nn.Sequential(
                    PreActBlock(width, out_channels, stride),
                    *(
                        PreActBlock(out_channels, out_channels, 1)
                        for _ in range(blocks - 1)
                    ),
                )
            )
            width = out_channels
        super().__init__(
            stem=nn.Conv2d(3, 16, 3, padding=1, bias=False),
            stages=stages,
            tail=nn.Sequential(nn.BatchNorm2d(width), nn.ReLU()),
            out_indices=out_indices,
            init_cfg=init_cfg,
        )
