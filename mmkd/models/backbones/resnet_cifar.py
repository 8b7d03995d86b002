"""ResNets for 32x32 images with three stages of basic blocks."""

from collections.abc import Sequence
from typing import Any, ClassVar

from mmpretrain.models.backbones.resnet import BasicBlock
from mmpretrain.models.backbones.resnet_cifar import ResNet_CIFAR

from mmkd.registry import MODELS


@MODELS.register_module()
class ResNetCIFAR(ResNet_CIFAR):
    """ResNet-8, 14, 20, ..., 110 of He et al. for 32x32 images.

    The network of section 4.2 of `Deep Residual Learning for Image Recognition
    <https://arxiv.org/abs/1512.03385>`_ with projection shortcuts, as in the
    RepDistiller repository. It is MMPretrain's ``ResNet_CIFAR`` with
    three stages ``layer1``, ``layer2``, ``layer3`` (maps of 32x32, 16x16 and
    8x8) whose widths are ``base_channels`` times 1, 2 and 4. The four-stage
    ResNet-50 of the same repositories is MMPretrain's class itself.

    Args:
        depth: ``6n + 2`` layers for ``n`` blocks per stage.
        stem_channels: Width of the first convolution.
        base_channels: Width of the first stage: 16, or 64 for the "x4" models.
        out_indices: Which stages' maps to return, from 0.
        zero_init_residual: Whether each block starts as the identity, unlike
            in the published models.
        **kwargs: See MMPretrain's ``ResNet_CIFAR``.

    Raises:
        ValueError: If ``depth`` is not ``6n + 2``.
    """

    arch_settings: ClassVar[dict[int, tuple[type, tuple[int, ...]]]] = {
        6 * blocks + 2: (BasicBlock, (blocks,) * 3) for blocks in range(1, 201)
    }

    def __init__(
        self,
        depth: int,
        stem_channels: int = 16,
        base_channels: int = 16,
        out_indices: Sequence[int] = (2,),
        zero_init_residual: bool = False,
        **kwargs: Any,
    ) -> None:
        if depth not in self.arch_settings:
            raise ValueError(
                f'depth must be 6n + 2 (8, 14, 20, ..., 1202), got {depth!r}'
            )
        super().__init__(
            depth,
            stem_channels=stem_channels,
            base_channels=base_channels,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=out_indices,
            zero_init_residual=zero_init_residual,
            **kwargs,
        )
