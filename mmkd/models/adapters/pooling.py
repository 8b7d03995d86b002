"""From feature maps to one vector an image."""

from torch import Tensor


def pooled(features: Tensor) -> Tensor:
    """The average over all positions.

    Args:
        features: ``(N, C, *)``.

    Returns:
        ``(N, C)``; a vector stays as it is.
    """
    return features if features.dim() == 2 else features.flatten(2).mean(2)
