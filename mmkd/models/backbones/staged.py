"""The base of the CIFAR families: a stem, named stages and an optional tail."""

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

KAIMING = {'type': 'Kaiming', 'layer': 'Conv2d'}
"""Normal with variance ``2 / (k * k * out_channels)``, biases zero."""


class StagedBackbone(BaseModule):
    """Runs a stem, then ``layer1``, ``layer2``, ..., then an optional tail.

    Every stage is a separate child module. Its output, after the last ReLU of the
    published network there, is the end of a unit, that is, of layers whose maps
    have one size. A method that taps ``backbone.layer2`` gets this output.

    Args:
        stem: What precedes the first stage.
        stages: The stages in the order they run.
        tail: What follows the last stage, without changing the map's size.
        out_indices: Which maps to return, from 0: those of the stages in order, then
            the tail's. None means the last one, which the classifier pools.
        init_cfg: Initialisation of the weights, as in MMEngine; None keeps
            PyTorch's own.

    Raises:
        ValueError: If an index does not exist.
    """

    def __init__(
        self,
        stem: nn.Module,
        stages: Sequence[nn.Module],
        tail: nn.Module | None = None,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stem = stem
        self.steps = [f'layer{number}' for number in range(1, len(stages) + 1)]
        for name, stage in zip(self.steps, stages, strict=True):
            self.add_module(name, stage)
        if tail is not None:
            self.tail = tail
            self.steps.append('tail')
        last = len(self.steps) - 1
        self.out_indices = (last,) if out_indices is None else tuple(out_indices)
        if not self.out_indices or not set(self.out_indices) <= set(range(last + 1)):
            raise ValueError(
                f'out_indices must be one or more of 0 to {last}, got {out_indices!r}'
            )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Compute the maps.

        Args:
            x: Images ``(N, 3, H, W)``.

        Returns:
            One map ``(N, C, H', W')`` for each of ``out_indices``, in the
            order of the stages.
        """
        x = self.stem(x)
        maps = []
        for index, name in enumerate(self.steps):
            x = getattr(self, name)(x)
            if index in self.out_indices:
                maps.append(x)
        return tuple(maps)


def conv_bn(
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    relu: bool = True,
) -> list[nn.Module]:
    """A convolution that changes the map's size only by its stride, and BatchNorm.

    The ReLU is not in place: it would change the BatchNorm output that a method
    captured.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        kernel_size: Odd height and width of the kernel.
        stride: Stride of the convolution.
        groups: Groups of the convolution.
        bias: Whether the convolution has a bias.
        relu: Whether a ReLU follows.

    Returns:
        The modules in the order they run.
    """
    conv = nn.Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=bias,
    )
    modules: list[nn.Module] = [conv, nn.BatchNorm2d(out_channels)]
    return [*modules, nn.ReLU()] if relu else modules
