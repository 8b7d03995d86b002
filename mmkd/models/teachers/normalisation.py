"""Converting images normalised for one network to the normalisation of another."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

REORDERS = ('to_rgb', '_channel_conversion', 'channel_conversion')
"""The names of this option in MMPretrain, MMEngine and the original MMSegmentation."""


class Renormalise:
    """Converts images from the normalisation of one data preprocessor to another's.

    They may differ in mean, std and the order of three channels. Padding that was
    added after the normalisation is converted like image content.

    Args:
        given: The data preprocessor that normalised the images.
        wanted: The data preprocessor of the network that takes them.
        channels: Channels of the images. Preprocessors only ever reverse three,
            whatever their setting.
    """

    def __init__(self, given: Any, wanted: Any, channels: int) -> None:
        mean, std, reorders = normalisation_of(wanted)
        given_mean, given_std, given_reorders = normalisation_of(given)
        self.flip = reorders != given_reorders and channels == 3
        if self.flip:
            given_mean, given_std = given_mean.flip(0), given_std.flip(0)
        self.scale = (given_std / std).view(-1, 1, 1)
        self.shift = ((given_mean - mean) / std).view(-1, 1, 1)
        self.changes = bool(
            self.flip or (self.scale != 1).any() or (self.shift != 0).any()
        )

    def __call__(self, images: Tensor) -> Tensor:
        """Convert images ``(N, C, H, W)``."""
        if not self.changes:
            return images
        images = images.flip(1) if self.flip else images
        return images * self.scale.to(images.dtype) + self.shift.to(images.dtype)

    def apply(self, fn: Callable[[Tensor], Tensor]) -> None:
        """Move or cast what it computes with, as ``nn.Module._apply`` does."""
        self.scale, self.shift = fn(self.scale), fn(self.shift)


def normalisation_of(preprocessor: Any) -> tuple[Tensor, Tensor, bool]:
    """What a data preprocessor does to the values of images.

    Args:
        preprocessor: Of either library.

    Returns:
        Mean and std, per channel or for all, and whether it reverses channels.
    """
    reorders = any(getattr(preprocessor, name, False) for name in REORDERS)
    if not getattr(preprocessor, '_enable_normalize', False):
        return torch.zeros(1), torch.ones(1), reorders
    mean, std = preprocessor.mean.flatten(), preprocessor.std.flatten()
    return mean.float(), std.float(), reorders
