"""The convolutional regressor of FitNets."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from mmkd.models.norms import BatchNorm2d


class Regressor(BaseModule):
    """A convolution, BatchNorm and ReLU onto the teacher's feature map.

    Maps of equal size get a 1x1 convolution, a map of twice the teacher's size a
    3x3 one with stride 2, one of half its size a transposed one with stride 2. If
    the size still differs, the result is interpolated.

    Source: ``ConvReg`` in ``models/util.py`` of
    https://github.com/HobbitLong/RepDistiller, which has these three cases.

    Args:
        student: Shape of the student's feature map, ``(N, C, H, W)``.
        teacher: Shape of the teacher's for the same image.
    """

    def __init__(self, student: Sequence[int], teacher: Sequence[int]) -> None:
        super().__init__()
        widths = student[1], teacher[1]
        if student[2] == 2 * teacher[2]:
            conv: nn.Module = nn.Conv2d(*widths, 3, stride=2, padding=1, bias=False)
        elif 2 * student[2] == teacher[2]:
            conv = nn.ConvTranspose2d(*widths, 4, stride=2, padding=1, bias=False)
        else:
            conv = nn.Conv2d(*widths, 1, bias=False)
        self.layers = nn.Sequential(conv, BatchNorm2d(teacher[1]), nn.ReLU())

    def forward(self, features: Tensor, size: Sequence[int]) -> Tensor:
        """Map ``(N, C, H, W)`` to the teacher's ``(N, D, *size)``."""
        regressed = self.layers(features)
        if tuple(regressed.shape[2:]) == tuple(size):
            return regressed
        return F.interpolate(regressed, tuple(size), mode='bilinear')
