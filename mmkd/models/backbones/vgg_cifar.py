"""VGG networks with BatchNorm for 32x32 images."""

from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from mmkd.models.backbones.staged import KAIMING, StagedBackbone, conv_bn
from mmkd.registry import MODELS


@MODELS.register_module()
class VGGCIFAR(StagedBackbone):
    """VGG-8, 11, 13, 16 or 19 with BatchNorm and without hidden linear layers.

    `Very Deep Convolutional Networks <https://arxiv.org/abs/1409.1556>`_ in the
    form of the RepDistiller repository: a 2x2 max pooling opens each of
    ``layer2``, ``layer3`` and ``layer4``, so that the maps are 32x32, 16x16,
    8x8 and 4x4; ``layer5`` continues at 4x4 and ends that unit. (For 64x64
    images that repository pools before ``layer5`` too; this class does not.)

    Args:
        depth: 8, 11, 13, 16 or 19, including the classifier.
        out_indices: Which of the five stages' maps to return, from 0.
        init_cfg: Initialisation of the weights.

    Raises:
        ValueError: If ``depth`` is none of these.
    """

    arch_settings: ClassVar[dict[int, tuple[int, ...]]] = {
        8: (1, 1, 1, 1, 1),
        11: (1, 1, 2, 2, 2),
        13: (2, 2, 2, 2, 2),
        16: (2, 2, 3, 3, 3),
        19: (2, 2, 4, 4, 4),
    }
    """Convolutions of each stage."""

    def __init__(
        self,
        depth: int,
        out_indices: Sequence[int] | None = None,
        init_cfg: dict[str, Any] | None = KAIMING,
    ) -> None:
        if depth not in self.arch_settings:
            allowed = ', '.join(map(str, self.arch_settings))
            raise ValueError(f'depth must be one of {allowed}, got {depth!r}')
        widths = (64, 128, 256, 512, 512)
        stages, in_channels = [], 3
        for index, convs in enumerate(self.arch_settings[depth]):
            modules: list[nn.Module] = [nn.MaxPool2d(2)] if index in (1, 2, 3) else []
            for _ in range(convs):
                modules += conv_bn(in_channels, widths[index], 3, bias=True)
                in_channels = widths[index]
            stages.append(nn.Sequential(*modules))
        super().__init__(nn.Identity(), stages, None, out_indices, init_cfg)
